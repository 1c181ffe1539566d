/** A thread of a cold read beside the one that started it. */
import { parentPort } from 'node:worker_threads'
import { type ColdWork, foldPieces } from './cold-part.ts'

parentPort?.once('message', (work: ColdWork) => void foldPieces(work).then((part) => parentPort?.postMessage(part)))
