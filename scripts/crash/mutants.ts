/** Every fault that the harness has to find. */
import type { Mutant } from './mutants/mutant.ts'
import { receiverMutants } from './mutants/receiver.ts'

export const mutants: readonly Mutant[] = [...receiverMutants]
