/** What `cis490-receiver` can do: every command, registered once. */
import { build } from '@cis490/shared/node/build.ts'
import { makeProgram } from '@cis490/shared/node/cli.ts'
import { registerBackfill } from './commands/backfill.ts'
import { registerBackup } from './commands/backup.ts'
import { registerCheckConfig } from './commands/check-config.ts'
import { registerExplain } from './commands/explain.ts'
import { registerFsck } from './commands/fsck.ts'
import { registerImport } from './commands/import.ts'
import { registerList } from './commands/list.ts'
import { registerManifest } from './commands/manifest.ts'
import { registerPrune } from './commands/prune.ts'
import { registerReceiptKey } from './commands/receipt-key.ts'
import { registerRestore } from './commands/restore.ts'
import { registerServe } from './commands/serve.ts'
import { registerTaint } from './commands/taint.ts'

export const program = makeProgram('cis490-receiver', 'takes in episodes from lab hosts', build.version)
registerServe(program)
registerFsck(program)
registerBackfill(program)
registerTaint(program)
registerList(program)
registerManifest(program)
registerExplain(program)
registerImport(program)
registerReceiptKey(program)
registerPrune(program)
registerBackup(program)
registerRestore(program)
registerCheckConfig(program)
