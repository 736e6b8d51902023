import { describe, test } from 'vitest'
import { runServiceModel } from './service-commands.ts'

describe('the log service on a disk that forgets what was not synced', () => {
  test('holds what a plain model holds, through splits, retention, restarts and losses of power', async () => {
    await runServiceModel(300)
  }, 120_000)
})
