/** The benches by name. */
import type { Bench } from './frame/bench.ts'
import { large } from './large.ts'
import { memory } from './memory.ts'

export const benches: Readonly<Record<string, Bench>> = { large, memory }
