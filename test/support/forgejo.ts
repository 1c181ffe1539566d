/** A forge in this process that serves one repository as Forgejo does: pages of at most 50, its headers, its errors. And with its bad days. */
import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Fault = 'down' | 'slow' | 'garbage' | 'empty' | 'error' | 'redirect' | 'huge'

export interface TinyForgejoOptions {
  readonly owner?: string
  readonly name?: string
  readonly branch?: string
  /** Where set, requests need it. */
  readonly token?: string
  /** MAX_RESPONSE_ITEMS of the server. */
  readonly pageCap?: number
  /** Gitea and Forgejo tell X-HasMore; a proxy may take it away. */
  readonly hasMoreHeader?: boolean
}

interface Commit {
  readonly sha: string
  readonly message: string
  readonly created: string
}

export class TinyForgejo implements AsyncDisposable {
  readonly owner: string
  readonly name: string
  readonly branch: string
  /** Path and query of every request, in order. */
  readonly requests: string[] = []
  fault: Fault | undefined
  #commits: Commit[] = []
  readonly #options: TinyForgejoOptions
  readonly #server: Server

  private constructor(options: TinyForgejoOptions) {
    this.#options = options
    this.owner = options.owner ?? 'spectral'
    this.name = options.name ?? 'CIS490'
    this.branch = options.branch ?? 'main'
    this.#server = createServer((request, response) => this.#answer(request, response))
  }

  static async start(options: TinyForgejoOptions = {}): Promise<TinyForgejo> {
    const forge = new TinyForgejo(options)
    await new Promise<void>((resolve) => forge.#server.listen(0, '127.0.0.1', resolve))
    return forge
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Hashes of the branch, newest first. */
  get commits(): string[] {
    return this.#commits.map(({ sha }) => sha)
  }

  /** Pushes `count` new commits. @returns the hash of the new head */
  push(count = 1): string {
    for (let k = 0; k < count; k++) this.pushCommit(randomBytes(20).toString('hex'))
    return this.#commits[0]?.sha ?? ''
  }

  /** Pushes a commit with this hash, for instance one of a real clone. */
  pushCommit(sha: string): void {
    this.#commits.unshift({ sha, message: `commit ${this.#commits.length + 1}`, created: new Date().toISOString() })
  }

  /** Forgets the newest `count` commits, as a forced push does. */
  rewind(count: number): void {
    this.#commits.splice(0, count)
  }

  /** Requests whose path has this text. */
  asked(text: string): string[] {
    return this.requests.filter((path) => path.includes(text))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #answer(request: IncomingMessage, response: ServerResponse): ServerResponse {
    this.requests.push(request.url ?? '')
    if (this.fault !== undefined && this.#misbehave(this.fault, request, response)) return response
    const { token } = this.#options
    const given = request.headers.authorization
    if (token !== undefined && given !== `token ${token}` && given !== `Bearer ${token}`)
      return send(response, 401, { message: 'user does not exist' })
    const url = new URL(request.url ?? '', this.url)
    const repo = `/api/v1/repos/${this.owner}/${this.name}`
    if (!url.pathname.startsWith(`${repo}/`)) return send(response, 404, { message: 'The target could not be found.' })
    const [kind, ...rest] = url.pathname.slice(repo.length + 1).split('/')
    if (kind === 'branches') return this.#branch(response, decodeURIComponent(rest.join('/')))
    if (kind === 'commits') return this.#list(response, url.searchParams)
    if (kind === 'compare') return this.#compare(response, decodeURIComponent(rest.join('/')))
    if (kind === 'git' && rest[0] === 'commits') return this.#one(response, rest[1] ?? '')
    return send(response, 404, { message: 'not found' })
  }

  #branch(response: ServerResponse, branch: string): ServerResponse {
    const head = this.#commits[0]
    if (branch !== this.branch || !head) return send(response, 404, { message: 'branch does not exist' })
    return send(response, 200, {
      name: branch,
      commit: { id: head.sha, message: head.message, author: null, verification: null },
      protected: false,
    })
  }

  #one(response: ServerResponse, sha: string): ServerResponse {
    const commit = this.#commits.find((candidate) => candidate.sha === sha)
    return commit ? send(response, 200, item(commit)) : send(response, 404, { message: 'not found' })
  }

  #list(response: ServerResponse, query: URLSearchParams): ServerResponse {
    if (this.#commits.length === 0) return send(response, 409, { message: 'Git Repository is empty.' })
    const sha = query.get('sha') ?? this.branch
    const from = sha === this.branch ? 0 : this.#commits.findIndex((commit) => commit.sha === sha)
    if (from === -1) return send(response, 404, { message: 'object does not exist' })
    const page = Math.max(1, Number(query.get('page') ?? 1))
    const limit = Math.min(Number(query.get('limit')) || 30, this.#options.pageCap ?? 50)
    const reachable = this.#commits.slice(from)
    const pages = Math.ceil(reachable.length / limit)
    const headers: Record<string, string> = { 'x-total-count': String(reachable.length) }
    if (this.#options.hasMoreHeader !== false)
      Object.assign(headers, {
        'x-page': String(page),
        'x-perpage': String(limit),
        'x-total': String(reachable.length),
        'x-pagecount': String(pages),
        'x-hasmore': String(page < pages),
      })
    return send(response, 200, reachable.slice((page - 1) * limit, page * limit).map(item), headers)
  }

  #compare(response: ServerResponse, words: string): ServerResponse {
    const [from, to] = words.split('...').map((word) => this.#commits.findIndex(({ sha }) => sha.startsWith(word)))
    if (from === undefined || to === undefined || from < 0 || to < 0)
      return send(response, 404, { message: 'The target could not be found.' })
    const commits = this.#commits.slice(to, from).map(item)
    // What a forge tells that has cut its list.
    return send(response, 200, { total_commits: commits.length, commits: commits.slice(0, this.#options.pageCap) })
  }

  /** @returns false where this fault leaves the request alone */
  #misbehave(fault: Fault, request: IncomingMessage, response: ServerResponse): boolean {
    if (fault === 'down') request.socket.destroy()
    else if (fault === 'garbage') response.end('<html>502 Bad Gateway</html>')
    else if (fault === 'error') send(response, 500, { message: 'internal' })
    else if (fault === 'redirect') response.writeHead(302, { location: `${this.url}/elsewhere` }).end()
    else if (fault === 'huge') response.end(`["${'x'.repeat(9 << 20)}"]`)
    else if (fault === 'empty') {
      // The head is told, the list is not: what a forge does while its repository is being restored.
      if (!request.url?.includes('/commits?')) return false
      send(response, 200, [])
    }
    // slow: no answer at all
    return true
  }
}

function item({ sha, message, created }: Commit): object {
  return {
    sha,
    created,
    url: '',
    html_url: '',
    commit: { message, author: { name: 'someone', email: 's@example.org', date: created }, tree: { sha } },
    author: null,
    committer: null,
    parents: [],
  }
}

function send(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): ServerResponse {
  return response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}
