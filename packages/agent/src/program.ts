/** What `cis490-agent` can do: every command, with the module that brings it. */
import { build } from '@cis490/shared/node/build.ts'
import { addCommands, type CommandTable, makeProgram } from '@cis490/shared/node/cli.ts'
import type { Command } from 'commander'

const pause = async () => (await import('./commands/pause.ts')).registerPause
const verify = async () => (await import('./commands/verify.ts')).registerVerify

const commands: CommandTable = {
  scan: async () => (await import('./commands/scan.ts')).registerScan,
  outbox: async () => (await import('./commands/outbox.ts')).registerOutbox,
  show: async () => (await import('./commands/show.ts')).registerShow,
  'check-config': async () => (await import('./commands/check-config.ts')).registerCheckConfig,
  ship: async () => (await import('./commands/ship.ts')).registerShip,
  run: async () => (await import('./commands/run.ts')).registerRun,
  status: async () => (await import('./commands/status.ts')).registerStatus,
  doctor: async () => (await import('./commands/doctor.ts')).registerDoctor,
  report: async () => (await import('./commands/report.ts')).registerReport,
  'fetch-cert': async () => (await import('./commands/fetch-cert.ts')).registerFetchCert,
  pause,
  resume: pause,
  export: async () => (await import('./commands/export.ts')).registerExport,
  'import-receipts': async () => (await import('./commands/import-receipts.ts')).registerImportReceipts,
  verify,
  receipt: verify,
  'update-allowed': async () => (await import('./commands/update-allowed.ts')).registerUpdateAllowed,
  why: async () => (await import('./commands/why.ts')).registerWhy,
}

/** @param argv as Node gives it; without it every command is there */
export function loadProgram(argv?: readonly string[]): Promise<Command> {
  return addCommands(
    makeProgram('cis490-agent', 'Packs finished episodes of this host and ships them to the receiver', build.version),
    commands,
    argv,
  )
}
