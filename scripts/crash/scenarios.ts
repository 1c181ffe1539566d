/** Every piece of work that is interrupted. Loaded one by one: a process under test is started thousands of times. */
import type { Scenario } from './scenario.ts'

const loaders = {
  single: async () => (await import('./scenarios/single.ts')).single,
  put: async () => (await import('./scenarios/put.ts')).put,
  upload: async () => (await import('./scenarios/upload.ts')).uploadScenario,
  crowd: async () => (await import('./scenarios/crowd.ts')).crowd,
  gate: async () => (await import('./scenarios/gate.ts')).gate,
  race: async () => (await import('./scenarios/race.ts')).race,
  report: async () => (await import('./scenarios/report.ts')).reportScenario,
  import: async () => (await import('./scenarios/import.ts')).importScenario,
  prune: async () => (await import('./scenarios/prune.ts')).prune,
  repair: async () => (await import('./scenarios/repair.ts')).repair,
  backup: async () => (await import('./scenarios/backup.ts')).backup,
  ship: async () => (await import('./scenarios/ship.ts')).ship,
  resume: async () => (await import('./scenarios/resume.ts')).resume,
  drop: async () => (await import('./scenarios/drop.ts')).drop,
  reclaim: async () => (await import('./scenarios/reclaim.ts')).reclaimScenario,
  quota: async () => (await import('./scenarios/quota.ts')).quota,
} satisfies Record<string, () => Promise<Scenario>>

export const scenarioNames = Object.keys(loaders) as readonly (keyof typeof loaders)[]

export function isScenarioName(name: string): name is keyof typeof loaders {
  return Object.hasOwn(loaders, name)
}

/** @throws for a name that is none */
export async function loadScenario(name: string): Promise<Scenario> {
  if (!isScenarioName(name)) throw new Error(`there is no scenario ${name}`)
  return await loaders[name]()
}
