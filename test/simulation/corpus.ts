import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Reproduction } from './reproduction.ts'
import { scenarioNamed } from './scenarios/index.ts'
import { runTrial } from './trial.ts'

/** In the sources, also for the compiled program: JSON is not copied. */
export const corpusDirectory = 'test/simulation/corpus'

export interface CorpusEntry {
  readonly name: string
  readonly reproduction: Reproduction
}

/** Every plan that once failed, of ours and of planted bugs, by file name. */
export const readCorpus = (below = ''): CorpusEntry[] => {
  const directory = join(corpusDirectory, below)
  if (!existsSync(directory)) return []
  return readdirSync(directory)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => ({
      name: name.slice(0, -5),
      reproduction: JSON.parse(readFileSync(join(directory, name), 'utf8')) as Reproduction,
    }))
}

/** Replays one plan on the code as it is; gives the violation, if there is one. */
export const replay = async ({ scenario, seed, config, plan }: Reproduction): Promise<string | undefined> =>
  (await runTrial(scenarioNamed(scenario), seed, { config, plan })).violation

/** All of them on the real code: nothing may fail any more. */
export const replayCorpus = async (say: (line: string) => void): Promise<boolean> => {
  let failed = 0
  const entries = [...readCorpus(), ...readCorpus('planted')]
  for (const { name, reproduction } of entries) {
    const violation = await replay(reproduction)
    if (violation === undefined) continue
    failed++
    say(`corpus ${name}: ${violation}`)
  }
  say(`corpus: ${entries.length} plans replayed on the real code, ${failed} violations`)
  return failed === 0
}
