/** The commits of one branch over the API of Forgejo or Gitea. */
import { CommitSha } from '@cis490/shared/ids.ts'
import { Agent, type Dispatcher } from 'undici'
import { z } from 'zod'

export interface ForgejoOptions {
  readonly url: string
  readonly owner: string
  readonly name: string
  readonly branch: string
  readonly token?: string
  /** For one request, its body included. */
  readonly timeoutMs?: number
}

/** The forge could not tell: it is away, it answered an error, or what it said cannot be used. */
export class ForgejoError extends Error {
  override readonly name = 'ForgejoError'
}

/** Forgejo and Gitea cap a page at 50, whatever is asked for. */
const pageLimit = 50
const maxBodyBytes = 8 << 20

/** Of the many fields only these are read: the two makes differ, and users may be null. */
const Branch = z.looseObject({ commit: z.looseObject({ id: CommitSha }) })
const Commits = z.array(z.looseObject({ sha: CommitSha }))
const Comparison = z.looseObject({ total_commits: z.int().nonnegative(), commits: Commits.nullable() })

export class Forgejo implements AsyncDisposable {
  readonly #options: ForgejoOptions
  readonly #base: string
  readonly #agent: Agent
  readonly #closing = new AbortController()

  constructor(options: ForgejoOptions) {
    this.#options = options
    const words = [options.owner, options.name].map(encodeURIComponent).join('/')
    this.#base = `${options.url.replace(/\/+$/, '')}/api/v1/repos/${words}`
    // HTTP/2 buys nothing for one small request every few seconds, and forges behind proxies differ in it.
    this.#agent = new Agent({ allowH2: false, connections: 2 })
  }

  /** One small object: cheap enough to ask every few seconds. */
  async branchHead(): Promise<CommitSha> {
    const branch = this.#options.branch.split('/').map(encodeURIComponent).join('/')
    const { body } = await this.#get(`/branches/${branch}`, Branch)
    return body.commit.id
  }

  /** The newest `count` commits from `head` on, or all if there are fewer. Pinned to `head`, so that a push between two pages shifts nothing. */
  async commits(head: CommitSha, count: number): Promise<CommitSha[]> {
    const seen = new Set<CommitSha>()
    for (let page = 1, firstLength = 0; seen.size < count; page++) {
      const query = `sha=${head}&stat=false&verification=false&files=false&page=${page}&limit=${pageLimit}`
      const { body, hasMore } = await this.#get(`/commits?${query}`, Commits)
      const before = seen.size
      for (const { sha } of body) seen.add(sha)
      if (page === 1) firstLength = body.length
      // An administrator may set a lower cap, so "short" is measured by the first page; a page that adds nothing ends the loop in any case.
      const more = hasMore ?? body.length >= firstLength
      if (!more || seen.size === before) break
    }
    const commits = [...seen].slice(0, count)
    if (commits.length === 0) throw new ForgejoError('the forge answered an empty list of commits')
    if (commits[0] !== head) throw new ForgejoError('the list of commits does not start with the head of the branch')
    return commits
  }

  /** What `to` has and `from` has not, newest first. Either is anything that names a commit. */
  async between(from: string, to: string): Promise<CommitSha[]> {
    const words = [from, to].map(encodeURIComponent).join('...')
    const { body } = await this.#get(`/compare/${words}?verification=false&files=false`, Comparison)
    const commits = (body.commits ?? []).map(({ sha }) => sha)
    if (commits.length < body.total_commits)
      throw new ForgejoError(`the forge told only ${commits.length} of the ${body.total_commits} commits`)
    return commits
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    await this.#agent.destroy()
  }

  async #get<T extends z.ZodType>(path: string, schema: T): Promise<{ body: z.output<T>; hasMore: boolean | undefined }> {
    const { token, timeoutMs = 2000 } = this.#options
    const url = new URL(`${this.#base}${path}`)
    const response = await this.#agent.request({
      origin: url.origin,
      path: url.pathname + url.search,
      method: 'GET',
      headers: { accept: 'application/json', ...(token ? { authorization: `token ${token}` } : {}) },
      signal: AbortSignal.any([this.#closing.signal, AbortSignal.timeout(timeoutMs)]),
    })
    const text = await readBounded(response)
    // A redirect would carry the token to wherever it points: it is an answer like any other wrong one.
    if (response.statusCode !== 200) throw new ForgejoError(`the forge answered ${response.statusCode} to ${url.pathname}`)
    const parsed = schema.safeParse(parseJson(text))
    if (!parsed.success) throw new ForgejoError(`the answer to ${url.pathname} is not what a forge sends`)
    const more = response.headers['x-hasmore']
    return { body: parsed.data, hasMore: more === undefined ? undefined : more === 'true' }
  }
}

async function readBounded({ body }: Dispatcher.ResponseData): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length
    // Leaving the loop destroys the body and its connection.
    if (bytes > maxBodyBytes) throw new ForgejoError('the answer of the forge is larger than 8 MiB')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** @returns undefined for what is no JSON; no schema takes that */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
