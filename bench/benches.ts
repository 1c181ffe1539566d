/** The benches by name. */
import { fanIn } from './fan-in.ts'
import { fold } from './fold.ts'
import type { Bench } from './frame/bench.ts'
import { large } from './large.ts'
import { memory } from './memory.ts'
import { pack } from './pack.ts'
import { small } from './small.ts'

export const benches: Readonly<Record<string, Bench>> = { large, small, 'fan-in': fanIn, memory, pack, fold }
