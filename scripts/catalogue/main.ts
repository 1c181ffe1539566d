/** `npm run catalogue`: writes etc/journal/cis490.catalog from the table in the code. */
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { catalogueFile } from '@cis490/shared/catalogue.ts'

const path = fileURLToPath(new URL('../../etc/journal/cis490.catalog', import.meta.url))
writeFileSync(path, catalogueFile())
process.stdout.write(`${path}\n`)
