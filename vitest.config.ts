import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 180_000,
    hookTimeout: 120_000,
    // Many tests start the real programs: what Node compiled once it need not compile again.
    env: { NODE_COMPILE_CACHE: join(tmpdir(), 'cis490-compile-cache') },
  },
})
