import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { readCorpus, replay } from './corpus.ts'
import { plant } from './planted.ts'
import { plantedBugs } from './planted-bugs/index.ts'
import { runSweepPart } from './sweep.ts'

describe('exhaustive sweep', () => {
  const parts = 4
  for (let part = 0; part < parts; part++) {
    it(`no single fault breaks the smallest run, part ${part + 1} of ${parts}`, { timeout: 120_000 }, async () => {
      const { failures, applied } = await runSweepPart({ scenario: 'files-bounded', part, parts })
      expect(failures).toEqual([])
      expect(applied).toBeGreaterThan(100)
    })
  }
})

describe('corpus', () => {
  for (const { name, reproduction } of [...readCorpus(), ...readCorpus('planted')]) {
    it(`${name} passes`, async () => {
      expect(await replay(reproduction)).toBeUndefined()
    })
  }
})

describe('planted bugs', () => {
  it.each(plantedBugs)('$id has its place in the code exactly once', (bug) => {
    expect(plant(bug, readFileSync(bug.file, 'utf8'))).not.toBe('')
  })

  it('have names of their own', () => {
    expect(new Set(plantedBugs.map(({ id }) => id)).size).toBe(plantedBugs.length)
  })
})
