import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { example as produce } from '../../examples/01-produce/produce.ts'
import { example as consume } from '../../examples/02-consume/consume.ts'
import { example as dispatch } from '../../examples/03-dispatch-by-topic/dispatch.ts'
import { example as archive } from '../../examples/04-archive-exactly-once/archive.ts'
import { example as rescale } from '../../examples/05-restore-and-rescale/rescale.ts'
import type { Example } from '../../examples/shared/example.ts'
import { root } from '../tidy/source-tree.ts'

const examples: Readonly<Record<string, Example>> = {
  '01-produce': produce,
  '02-consume': consume,
  '03-dispatch-by-topic': dispatch,
  '04-archive-exactly-once': archive,
  '05-restore-and-rescale': rescale,
}

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-examples-'))
})

afterEach(() => rm(directory, { recursive: true, force: true }))

describe('an example', () => {
  test.each(Object.entries(examples))('ends by itself and finds its own result right: %s', async (_, example) => {
    const printed: string[] = []
    const { right, text } = await example({ directory, print: (line) => printed.push(line) })
    expect({ right, text, printed }).toMatchObject({ right: true })
    expect(printed).not.toEqual([])
  })

  test('that is not in this test, and not one with a test of its own, is not there', async () => {
    const folders = (await readdir(join(root, 'examples'))).filter((name) => /^\d\d-/.test(name))
    expect(folders.sort()).toEqual([...Object.keys(examples), '06-count-and-archive'])
  })
})
