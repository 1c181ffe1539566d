/** Every fault that the harness has to find. */
import { agentMutants } from './mutants/agent.ts'
import type { Mutant } from './mutants/mutant.ts'
import { receiverMutants } from './mutants/receiver.ts'

export const mutants: readonly Mutant[] = [...receiverMutants, ...agentMutants]
