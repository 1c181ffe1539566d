import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RulesFile } from '@cis490/receiver/forge/rules-files.ts'
import { parseHostsList } from '@cis490/receiver/http/hosts-list.ts'
import { makeLogger } from '@cis490/shared/node/log.ts'
import { afterAll, expect, test } from 'vitest'
import { read, section } from './documents.ts'

const folder = mkdtempSync(join(tmpdir(), 'cis490-lists-'))
afterAll(() => rmSync(folder, { recursive: true }))

const text = section(read('OPERATIONS.md'), '## Deny list, waivers, allow-list')
const [deny, waivers, directives, hosts] = [...text.matchAll(/```\w*\n([\s\S]*?)```/g)].map((match) => match[1] as string)
const log = makeLogger(process.stderr)

function saved(name: string, content: string | undefined): string {
  const path = join(folder, name)
  writeFileSync(path, content ?? '')
  return path
}

test('the deny list of OPERATIONS.md is one that the receiver reads', () => {
  const rules = RulesFile.deny(saved('deny.toml', deny), log).current()
  expect(rules).toEqual([expect.objectContaining({ commit: expect.stringMatching(/^[0-9a-f]{40}$/), by: 'ada' })])
})

test('the waivers of OPERATIONS.md are read, and a day counts to its end', () => {
  const rules = RulesFile.waivers(saved('waivers.toml', waivers), log).current()
  expect(rules).toEqual([expect.objectContaining({ host: 'lab-07', until: Date.parse('2026-12-25T00:00:00Z') })])
})

test('the directives of OPERATIONS.md are read', () => {
  const rules = RulesFile.directives(saved('directives.toml', directives), log).current()
  expect(rules).toEqual([expect.objectContaining({ host: 'lab-07', rate: 1 << 20, until: Date.parse('2026-12-25T00:00:00Z') })])
})

test('the allow-list of OPERATIONS.md is read', () => {
  expect([...parseHostsList(hosts ?? '', 'hosts').values()]).toEqual([new Set(['lab-07'])])
})
