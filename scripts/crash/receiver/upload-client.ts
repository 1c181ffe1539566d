/** A client of resumable uploads that tells every offset that it was told. */
import { episodePath, interopVersion, mediaType } from '@cis490/shared/protocol.ts'
import type { Place, Tell } from '../scenario.ts'
import type { Answer, Client } from './client.ts'
import { type Body, bodiesOf, bytesOf, type Expected, tellAnswer } from './place.ts'

export class UploadClient {
  readonly #place: Place
  readonly #client: Client
  readonly #tell: Tell

  constructor(place: Place, client: Client, tell: Tell) {
    this.#place = place
    this.#client = client
    this.#tell = tell
  }

  body(label: string): Body {
    return bodiesOf(this.#place).find((one) => one.label === label) as Body
  }

  /** @returns where the upload is, or undefined where none was made */
  async create(label: string, expected: Expected): Promise<string | undefined> {
    const { id, sha256, commit, bytes } = this.body(label)
    const answer = await this.#client.ask({
      method: 'PUT',
      path: episodePath(id),
      headers: {
        'X-Content-SHA256': sha256,
        'X-Cis490-Code-Commit': commit,
        'Upload-Draft-Interop-Version': interopVersion,
        'Upload-Complete': '?0',
        'Upload-Length': bytes,
      },
    })
    const { location } = answer.headers
    if (answer.status !== 201 || typeof location !== 'string') {
      tellAnswer(this.#tell, answer, { id, sha256, commit }, expected)
      return undefined
    }
    this.#told(label, location, answer, expected)
    return location
  }

  /** @param from where these bytes begin @param to where they end; the end of the archive makes the upload complete */
  async append(label: string, path: string, from: number, to: number, expected: Expected): Promise<Answer> {
    const { id, sha256, commit, bytes } = this.body(label)
    const complete = to === bytes
    const answer = await this.#client.ask({
      method: 'PATCH',
      path,
      headers: {
        'Content-Type': mediaType.partialUpload,
        'Upload-Draft-Interop-Version': interopVersion,
        'Upload-Offset': from,
        'Upload-Complete': complete ? '?1' : '?0',
      },
      body: bytesOf(this.#place, label).subarray(from, to),
    })
    if (complete) tellAnswer(this.#tell, answer, { id, sha256, commit }, expected)
    else this.#told(label, path, answer, expected)
    return answer
  }

  /** @returns how far it is, or undefined where it is gone */
  async look(label: string, path: string, expected: Expected): Promise<number | undefined> {
    const answer = await this.#client.ask({ method: 'HEAD', path, headers: { 'Upload-Draft-Interop-Version': interopVersion } })
    this.#told(label, path, answer, expected)
    return answer.status === 204 ? Number(answer.headers['upload-offset']) : undefined
  }

  async cancel(label: string, path: string, expected: Expected): Promise<void> {
    // Whoever asked for this no longer counts on the upload, whatever the answer.
    this.#tell({ kind: 'cancelled', path })
    const answer = await this.#client.ask({ method: 'DELETE', path })
    this.#told(label, path, answer, expected)
  }

  /** Creates or finds the upload, and sends what is missing: what an agent does that knows nothing any more. */
  async sendWhole(label: string): Promise<void> {
    const path = await this.create(label, [200, 201])
    if (path === undefined) return
    const offset = (await this.look(label, path, 204)) ?? 0
    await this.append(label, path, offset, this.body(label).bytes, [200, 201])
  }

  #told(label: string, path: string, answer: Answer, expected: Expected): void {
    const offset = Number(answer.headers['upload-offset'] ?? Number.NaN)
    const { status, body } = answer
    this.#tell({ kind: 'answer', id: this.body(label).id, status, expected, code: body['code'] })
    if ((status === 201 || status === 204) && Number.isFinite(offset)) this.#tell({ kind: 'offset', label, path, offset })
  }
}
