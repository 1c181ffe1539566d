/** One TOML file a program: strict schema, and errors that name file, line and key. */
import { readFileSync } from 'node:fs'
import { parse, TomlError } from 'smol-toml'
import { z } from 'zod'
import { nearest } from '../nearest.ts'
import { isErrno, messageOf } from './errno.ts'

/** The user's mistake, ready to print; exit 78. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/** @throws ConfigError with one line a mistake */
export function loadConfig<T extends z.ZodType>(path: string, schema: T): z.output<T> {
  return parseConfig(readText(path), path, schema)
}

export function parseConfig<T extends z.ZodType>(text: string, path: string, schema: T): z.output<T> {
  let value: unknown
  try {
    value = parse(text)
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    throw new ConfigError(`${path}:${error.line}: ${(error.message.split('\n')[0] ?? '').replace('Invalid TOML document: ', '')}`)
  }
  const result = schema.safeParse(value)
  if (result.success) return result.data
  throw new ConfigError(result.error.issues.flatMap((issue) => describe(issue, text, path, schema)).join('\n'))
}

function describe(issue: z.core.$ZodIssue, text: string, path: string, schema: z.ZodType): string[] {
  const at = issue.path.map(String)
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => {
      const meant = suggestion([...at, key], schema)
      return `${place(path, text, [...at, key])}: unknown key ${[...at, key].join('.')}${meant === undefined ? '' : `; did you mean ${meant}?`}`
    })
  const name = at.join('.') || 'the file'
  return [`${place(path, text, at)}: ${name}: ${issue.message}`]
}

interface JsonSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>
}

/** A key of the same name in another table, or one of this table that is spelled much like it. */
function suggestion(key: readonly string[], schema: z.ZodType): string | undefined {
  const known = keysOf(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema)
  const table = key.slice(0, -1).join('.')
  const name = key.at(-1) ?? ''
  const siblings = known.filter((one) => one.slice(0, Math.max(0, one.lastIndexOf('.'))) === table)
  const moved = known.filter((one) => one !== key.join('.') && one.slice(one.lastIndexOf('.') + 1) === name)
  const leaf = (one: string) => one.slice(one.lastIndexOf('.') + 1)
  const [close] = nearest(name, siblings.map(leaf), 1)
  return close === undefined ? moved[0] : [...key.slice(0, -1), close].join('.')
}

/** Dotted paths, tables too. */
function keysOf(schema: JsonSchema, prefix = ''): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, below]) => [
    `${prefix}${name}`,
    ...keysOf(below, `${prefix}${name}.`),
  ])
}

function place(path: string, text: string, key: string[]): string {
  const line = lineOf(text, key)
  return line === undefined ? path : `${path}:${line}`
}

/** Line (from 1) that sets this key path, or the nearest table or inline table around it. */
export function lineOf(text: string, key: readonly string[]): number | undefined {
  let table: string[] = []
  let nearest: { line: number; depth: number } | undefined
  const items = new Map<string, number>()
  for (const [k, raw] of text.split('\n').entries()) {
    const header = /^\s*(\[\[?)([^\]]+)\]\]?/.exec(raw)
    const name = /^\s*(["']?)([A-Za-z0-9_.-]+)\1\s*=/.exec(raw)
    if (header) table = tablePath(header[2] as string, header[1] === '[[', items)
    else if (!name) continue
    const full = header ? table : [...table, ...(name?.[1] ? [name[2] as string] : (name?.[2] ?? '').split('.'))]
    if (full.length > key.length || full.some((part, at) => part !== key[at])) continue
    if (full.length > (nearest?.depth ?? 0)) nearest = { line: k + 1, depth: full.length }
  }
  return nearest?.line
}

/** Items of an array of tables are counted: the second `[[deny]]` is `deny.1`. */
function tablePath(header: string, isItem: boolean, items: Map<string, number>): string[] {
  const path = header.replaceAll(/["'\s]/g, '').split('.')
  if (!isItem) return path
  const index = items.get(path.join('.')) ?? 0
  items.set(path.join('.'), index + 1)
  return [...path, String(index)]
}

/** A secret is a path in the configuration. @returns the file's text without surrounding white space */
export function readSecret(path: string, key: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (error) {
    throw new ConfigError(`${key}: cannot read ${path}: ${messageOf(error).split(',')[0]}`)
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const step = isErrno(error, 'ENOENT')
      ? '; copy the example from etc/ of the checkout, or name another file with --config'
      : isErrno(error, 'EACCES')
        ? '; run it with sudo, or as the user of the service'
        : ''
    throw new ConfigError(`cannot read the configuration ${path}: ${messageOf(error).split(',')[0]}${step}`)
  }
}
