/** Completion for zsh: a function for each command, with descriptions. It starts no program. */
import { type CommandEntry, everyEntry, type OptionEntry, type Value } from './table.ts'

export function zshCompletion(name: string, table: CommandEntry): string {
  const main = functionName(name, [])
  return `#compdef ${name}
# Made from the command table of ${name}; do not edit.

${everyEntry(table)
  .map((entry) => functionText(name, entry))
  .join('\n\n')}

# Called by the completion system, or read by hand.
if [[ $funcstack[1] == _${name} ]]; then
  ${main} "$@"
else
  compdef ${main} ${name}
fi
`
}

function functionName(name: string, path: readonly string[]): string {
  return `_${[name, ...path].join('__').replaceAll('-', '_')}`
}

function functionText(name: string, entry: CommandEntry): string {
  const specs = [...entry.options.flatMap(optionSpecs), ...argumentSpecs(entry)]
  const call = (flags: string) => `_arguments ${flags} \\\n${specs.map((spec) => `    ${spec}`).join(' \\\n')}`
  const head = `${functionName(name, entry.path)}() {`
  if (entry.commands.length === 0) return `${head}\n  ${call('-S')}\n}`
  return `${head}
  local curcontext=$curcontext state line ret=1
  local -A opt_args
  local -a commands
  ${call('-C')} && ret=0
  case $state in
    command)
      commands=(
${entry.commands.map((command) => `        ${quoted(`${command.path.at(-1)}:${command.text}`)}`).join('\n')}
      )
      _describe -t commands command commands && ret=0 ;;
    rest)
      case $line[1] in
${entry.commands.map((command) => `        ${command.path.at(-1)}) ${functionName(name, command.path)} && ret=0 ;;`).join('\n')}
      esac ;;
  esac
  return ret
}`
}

function argumentSpecs({ commands, arguments: values }: CommandEntry): string[] {
  if (commands.length > 0) return [quoted('1:command:->command'), quoted('*::argument:->rest')]
  return values.map((value, k) => {
    const place = value.variadic ? '*' : `${k + 1}`
    return quoted(`${place}:${value.optional && !value.variadic ? ':' : ''}${action(value)}`)
  })
}

/** A spec a name: the names of one option shut each other out, and the help everything. */
function optionSpecs({ names, text, value }: OptionEntry): string[] {
  const out = names.includes('--help') || names.includes('--version') ? '(- *)' : `(${names.join(' ')})`
  return names.map((name) =>
    quoted(`${out}${name}${value ? '=' : ''}[${escaped(text)}]${value ? `${value.optional ? '::' : ':'}${action(value)}` : ''}`),
  )
}

function action({ name, completes, choices }: Value): string {
  if (choices.length > 0) return `${escaped(name)}:(${choices.join(' ')})`
  return `${escaped(name)}:${{ files: '_files', folders: '_files -/', nothing: ' ' }[completes]}`
}

function escaped(text: string): string {
  return text.replaceAll(/[\\:[\]]/g, '\\$&')
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
