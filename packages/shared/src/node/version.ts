/** The version of all packages, which are released together; for programs that need not ask git for their commit. */
import packageJson from '../../package.json' with { type: 'json' }

export const version: string = packageJson.version
