/** The three lines that bring a lab host back to current code; path, branch and unit come from the configuration. */
export interface RemediationWords {
  readonly checkout: string
  readonly branch: string
  readonly unit: string
}

export const defaultRemediationWords: RemediationWords = {
  checkout: '/opt/cis490',
  branch: 'main',
  unit: 'cis490-orchestrator',
}

/** @returns text that can be pasted into the lab host's shell, without a trailing newline */
export function gateRemediation(words: RemediationWords = defaultRemediationWords): string {
  return [
    `cd ${words.checkout} && sudo -u cis490 git pull origin ${words.branch}`,
    `sudo ${words.checkout}/scripts/install-lab-host.sh`,
    `sudo systemctl restart ${words.unit}`,
  ].join('\n')
}
