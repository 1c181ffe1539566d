/** A thread of a cold read beside the one that started it. */
import { parentPort, workerData } from 'node:worker_threads'
import { type ColdWork, foldPieces } from './cold-part.ts'

parentPort?.postMessage(await foldPieces(workerData as ColdWork))
