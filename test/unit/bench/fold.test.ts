import { readFileSync } from 'node:fs'
import { CanonicalRow } from '@cis490/fleet/core/canonical-row.ts'
import { slack } from '@cis490/fleet/core/row-bytes.ts'
import { IndexRow } from '@cis490/shared/receipt.ts'
import { expect, test } from 'vitest'
import { indexRow } from '../../../bench/fold/index-file.ts'
import { asLaunched } from '../../../bench/fold.ts'
import { programs } from '../../../scripts/local-fleet/children.ts'
import { canonicalLine } from '../../support/index-lines.ts'

test.each([0, 49, 9_999_999])('row %i that the index is measured with has the shape of a real one', (k) => {
  const line = indexRow(k)
  const row = JSON.parse(line) as IndexRow
  expect(IndexRow.safeParse(row).success).toBe(true)
  expect(JSON.stringify(row)).toBe(line)
  const real = Object.keys(JSON.parse(canonicalLine) as object)
  expect(Object.keys(row)).toEqual(real.filter((key) => key !== 'verdict' && (key !== 'commit' || row.commit)))
  const bytes = Buffer.from(`${line}\n${'\0'.repeat(slack)}`)
  expect(new CanonicalRow(bytes).read(0)).toBe(bytes.length - slack)
})

test('new rows are read with the flags that the launcher gives', () => {
  expect(readFileSync(programs.fleet, 'utf8')).toContain(`exec "$node" ${asLaunched.join(' ')} "$root`)
})
