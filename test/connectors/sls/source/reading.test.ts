import { describe, expect, it } from 'vitest'
import type { Log } from '../../../../src/connectors/sls/index.ts'
import { SourceDriver } from '../../../source/source-driver.ts'
import { messages, TestLogstores } from './test-logstores.ts'

const texts = (logs: readonly unknown[]): string[] => logs.map((log) => (log as Log).get('message') ?? '')

describe('slsSource reads', () => {
  it('all logs of a shard in order, and those that come later', async () => {
    const logstores = await TestLogstores.open()
    await logstores.create()
    await logstores.put(messages('a', 3))
    await logstores.put(messages('a', 2, 3))
    const driver = new SourceDriver(logstores.source({ logstore: 'access' }), logstores)
    await driver.start()
    await driver.run(200)
    expect(texts(driver.taken)).toEqual(messages('a', 5))
    await logstores.put(messages('a', 4, 5))
    await driver.run(200)
    expect(texts(driver.taken)).toEqual(messages('a', 9))
    expect(driver.failures).toEqual([])
    await driver.close()
  })
})
