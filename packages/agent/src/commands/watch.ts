/** A hint that something may be finished: the periodic scan is the truth, this only makes it earlier. */
import { messageOf } from '@cis490/shared/node/errno.ts'
import type { Logger } from '@cis490/shared/node/log.ts'
import { watch } from 'chokidar'

const settle = 250

/** @param hint called soon after a burst of changes, once */
export function watchEpisodes(dir: string, log: Logger, hint: () => void): AsyncDisposable {
  let timer: NodeJS.Timeout | undefined
  const soon = () => {
    timer ??= setTimeout(() => {
      timer = undefined
      hint()
    }, settle)
  }
  const watcher = watch(dir, { depth: 1, ignoreInitial: true, followSymlinks: false })
  watcher.on('all', soon)
  watcher.once('error', (error) => {
    log.warn(
      { event: 'watch-failed', dir, cause: messageOf(error), remedy: 'sudo sysctl fs.inotify.max_user_watches=1048576' },
      'cannot watch the episodes folder; new ones are found by the periodic scan',
    )
    watcher.on('error', () => undefined)
  })
  return {
    [Symbol.asyncDispose]: async () => {
      clearTimeout(timer)
      await watcher.close()
    },
  }
}
