/** What `cis490-agent` can do: every command, registered once. */
import { build } from '@cis490/shared/node/build.ts'
import { makeProgram } from '@cis490/shared/node/cli.ts'
import { registerCheckConfig } from './commands/check-config.ts'
import { registerDoctor } from './commands/doctor.ts'
import { registerExport } from './commands/export.ts'
import { registerImportReceipts } from './commands/import-receipts.ts'
import { registerOutbox } from './commands/outbox.ts'
import { registerPause } from './commands/pause.ts'
import { registerReport } from './commands/report.ts'
import { registerRun } from './commands/run.ts'
import { registerScan } from './commands/scan.ts'
import { registerShip } from './commands/ship.ts'
import { registerStatus } from './commands/status.ts'

import { registerVerify } from './commands/verify.ts'
import { registerWhy } from './commands/why.ts'

export const program = makeProgram(
  'cis490-agent',
  'Packs finished episodes of this host and ships them to the receiver',
  build.version,
)
registerScan(program)
registerOutbox(program)
registerCheckConfig(program)
registerShip(program)
registerRun(program)
registerStatus(program)
registerDoctor(program)
registerReport(program)
registerPause(program)
registerExport(program)
registerImportReceipts(program)
registerVerify(program)
registerWhy(program)
