/** No refusal without a test on the wire: each code of the table is named in one of these files. */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { problems } from '@cis490/shared/problems.ts'
import { expect, it } from 'vitest'

it('every code of the refusal table is asked for over a real connection', () => {
  const folder = fileURLToPath(new URL('.', import.meta.url))
  const texts = readdirSync(folder)
    .filter((name) => name.endsWith('.test.ts') && name !== 'coverage.test.ts')
    .map((name) => readFileSync(`${folder}${name}`, 'utf8'))
  const named = (code: string) => texts.some((text) => text.includes(`'${code}'`))
  const untested = Object.keys(problems).filter((code) => !named(code))
  expect(untested).toEqual([])
})
