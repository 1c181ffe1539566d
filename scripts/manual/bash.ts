/** Completion for bash: one function with the table in it. It starts no program, and needs nothing but bash 4. */
import { type CommandEntry, everyEntry, type Value } from './table.ts'

export function bashCompletion(name: string, table: CommandEntry): string {
  const id = name.replaceAll('-', '_')
  const entries = everyEntry(table)
  return `# bash completion for ${name}, made from its command table; do not edit.

# What may follow the commands in $path.
_${id}_table() {
  commands='' options='' valued='' most=0
  case $path in
${entries.map(tableLine).join('\n')}
  esac
}

# Completes the value of an option, or the argument of this number.
_${id}_value() {
  case $path:$1 in
${valueLines(entries).join('\n')}
  esac
}

_${id}() {
  local cur=\${COMP_WORDS[COMP_CWORD]} path='' option='' count=1 ended='' words=() glued='' word
  local commands options valued most IFS=$' \\t\\n'
  COMPREPLY=()
  # Readline takes 18:00 apart.
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD}"; do
    if [[ \${#words[@]} -gt 0 && ($word == ':' || $glued) ]]; then words[-1]+=$word; else words+=("$word"); fi
    if [[ $word == ':' ]]; then glued=1; else glued=''; fi
  done
  _${id}_table
  for word in "\${words[@]::\${#words[@]}-1}"; do
    # And it makes three words of --option=value.
    if [[ $word == '=' && $option ]]; then continue; fi
    if [[ $option ]]; then option=''
    elif [[ $word == '--' ]]; then ended=1
    elif [[ $word == -* && ! $ended ]]; then
      if [[ " $valued " == *" $word "* ]]; then option=$word; fi
    elif [[ " $commands " == *" $word "* ]]; then
      path=\${path:+$path }$word
      _${id}_table
    else count=$((count + 1)); fi
  done
  if [[ $option ]]; then
    if [[ $cur == '=' ]]; then cur=''; fi
    _${id}_value "$option"
  elif [[ $cur == -* && ! $ended ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$cur"))
  elif [[ $commands ]]; then
    COMPREPLY=($(compgen -W "$commands" -- "$cur"))
  elif ((count > most)); then
    COMPREPLY=($(compgen -W "$options" -- "$cur"))
  else
    _${id}_value "$count"
  fi
}

complete -F _${id} ${name}
`
}

function tableLine({ path, commands, options, arguments: values }: CommandEntry): string {
  const below = commands.map((command) => command.path.at(-1) ?? '')
  const names = options.flatMap((option) => option.names)
  const valued = options.filter((option) => option.value).flatMap((option) => option.names)
  const most = values.some((value) => value.variadic) ? 999 : values.length
  return `    ${quoted(path.join(' '))}) commands=${list(below)} options=${list(names)} valued=${list(valued)} most=${most} ;;`
}

/** One line for all places that are completed the same way. */
function valueLines(entries: readonly CommandEntry[]): string[] {
  const places = new Map<string, string[]>()
  for (const { path, arguments: values, options } of entries) {
    const at = (value: Value, pattern: string) => {
      const how = completing(value)
      if (how !== '') places.set(how, [...(places.get(how) ?? []), `${quoted(`${path.join(' ')}:`)}${pattern}`])
    }
    for (const { names, value } of options) if (value) for (const name of names) at(value, name)
    for (const [k, value] of values.entries()) at(value, value.variadic ? '[0-9]*' : `${k + 1}`)
  }
  return [...places].map(([how, patterns]) => `    ${patterns.join(' | ')})\n      ${how} ;;`)
}

/** Names of files are left to readline, which knows about quotes and tildes. */
function completing({ choices, completes }: Value): string {
  if (choices.length > 0) return `COMPREPLY=($(compgen -W ${list(choices)} -- "$cur"))`
  if (completes === 'files') return 'compopt -o default'
  return completes === 'folders' ? 'compopt -o dirnames -o filenames' : ''
}

function list(words: readonly string[]): string {
  // bash expands what compgen -W is given.
  for (const word of words) if (!/^[\w.+-]+$/.test(word)) throw new Error(`"${word}" cannot be a word that is completed`)
  return quoted(words.join(' '))
}

function quoted(text: string): string {
  return `'${text}'`
}
