/** Every piece of work that is interrupted. Loaded one by one: a process under test is started thousands of times. */
import type { Scenario } from './scenario.ts'

const loaders = {
  race: async () => (await import('./scenarios/race.ts')).race,
  put: async () => (await import('./scenarios/put.ts')).put,
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
