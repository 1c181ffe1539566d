/** What `cis490-receiver` can do: every command, with the module that brings it. */
import { build } from '@cis490/shared/node/build.ts'
import { addCommands, type CommandTable, makeProgram } from '@cis490/shared/node/cli.ts'
import type { Command } from 'commander'

const commands: CommandTable = {
  serve: async () => (await import('./commands/serve.ts')).registerServe,
  fsck: async () => (await import('./commands/fsck.ts')).registerFsck,
  backfill: async () => (await import('./commands/backfill.ts')).registerBackfill,
  taint: async () => (await import('./commands/taint.ts')).registerTaint,
  list: async () => (await import('./commands/list.ts')).registerList,
  manifest: async () => (await import('./commands/manifest.ts')).registerManifest,
  explain: async () => (await import('./commands/explain.ts')).registerExplain,
  import: async () => (await import('./commands/import.ts')).registerImport,
  token: async () => (await import('./commands/token.ts')).registerToken,
  revoke: async () => (await import('./commands/revoke.ts')).registerRevoke,
  ca: async () => (await import('./commands/ca.ts')).registerCa,
  rollout: async () => (await import('./commands/rollout.ts')).registerRollout,
  bundle: async () => (await import('./commands/bundle.ts')).registerBundle,
  'receipt-key': async () => (await import('./commands/receipt-key.ts')).registerReceiptKey,
  prune: async () => (await import('./commands/prune.ts')).registerPrune,
  backup: async () => (await import('./commands/backup.ts')).registerBackup,
  restore: async () => (await import('./commands/restore.ts')).registerRestore,
  'check-config': async () => (await import('./commands/check-config.ts')).registerCheckConfig,
}

/** @param argv as Node gives it; without it every command is there */
export function loadProgram(argv?: readonly string[]): Promise<Command> {
  return addCommands(makeProgram('cis490-receiver', 'takes in episodes from lab hosts', build.version), commands, argv)
}
