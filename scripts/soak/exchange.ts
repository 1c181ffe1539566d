/** One request and its answer, and what the answer proves. */
import { parseObject } from '@cis490/shared/jsonl.ts'
import type { Wire, WireAnswer } from '../../test/support/wire.ts'
import type { Outcome, Put } from './history.ts'

/** Longer than what the receiver's idle_timeout lets pass. */
export const patienceMs = 2500

/** @returns undefined when the connection ends first; it is of no more use then */
export async function exchange(wire: Wire, bytes: string | Buffer, method: string): Promise<WireAnswer | undefined> {
  const late = setTimeout(() => wire.socket.destroy(), patienceMs)
  try {
    await wire.write(bytes)
    const answer = await wire.answer(method)
    if (answer.headers['connection'] === 'close') wire.socket.destroy()
    return answer
  } catch {
    wire.socket.destroy()
    return undefined
  } finally {
    clearTimeout(late)
  }
}

/** What an answer proves. A 5xx may come after the point of no return, but for those that are given before the body. */
export function read(answer: WireAnswer | undefined): Pick<Put, 'outcome' | 'status' | 'code' | 'receipt' | 'stored'> {
  if (!answer) return { outcome: 'info' }
  const { status } = answer
  const text = answer.body.toString()
  if (status === 200 || status === 201) return { outcome: 'ok', status, receipt: text }
  const problem = parseObject(text)
  // Where the line was half-closed the receiver is right: these were not the bytes.
  const halfClosed = String(problem?.['detail']).startsWith('the connection was closed for sending')
  const code = halfClosed ? 'half-closed' : String(problem?.['code'] ?? '')
  const outcome: Outcome = status >= 500 && code !== 'overloaded' && code !== 'gate-unavailable' ? 'info' : 'fail'
  const stored = problem?.['stored_sha256']
  return { outcome, status, code, ...(typeof stored === 'string' && { stored }) }
}
