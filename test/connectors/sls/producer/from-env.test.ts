import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { fromEnv } from '../../../../src/entry/sls.ts'

const env = {
  SLS_ENDPOINT: 'cn-hangzhou.log.aliyuncs.com',
  SLS_AK_ID: 'key',
  SLS_AK_KEY: 'do-not-show',
  SLS_PROJECT: 'web',
  SLS_LOGSTORE: 'access',
}

describe('fromEnv', () => {
  test('reads the variables of the official samples, with the target at the source by default', () => {
    const read = fromEnv({ env })
    expect(read).toMatchObject({
      connection: { endpoint: env.SLS_ENDPOINT, project: 'web', credentials: { accessKeyId: 'key' } },
      logstore: 'access',
      consumerGroup: undefined,
      target: { endpoint: env.SLS_ENDPOINT, project: 'web' },
      targetLogstores: [],
    })
    expect(read.connection.credentials.accessKeySecret.reveal()).toBe('do-not-show')
    expect(inspect(read, { depth: 9 }) + JSON.stringify(read)).not.toContain('do-not-show')
  })

  test('reads where to send, the numbered logstores in the order of their numbers', () => {
    const more = {
      SLS_CG: 'group',
      SLS_ENDPOINT_TO: 'http://127.0.0.1:8080',
      SLS_PROJECT_TO: 'copy',
      SLS_LOGSTORE_TO10: 'ten',
      SLS_LOGSTORE_TO2: 'two',
      SLS_LOGSTORE_TO1: 'one',
      SLS_LOGSTORE_TO3: ' ',
      SLS_LOGSTORE_TO: 'all',
    }
    expect(fromEnv({ env: { ...env, ...more }, require: ['SLS_CG'] })).toMatchObject({
      consumerGroup: 'group',
      target: { endpoint: 'http://127.0.0.1:8080', project: 'copy' },
      targetLogstores: ['all', 'one', 'two', 'ten'],
    })
  })

  test('names everything that is missing at once, and what to do', () => {
    const { SLS_AK_ID, SLS_PROJECT, ...rest } = env
    expect(() => fromEnv({ env: { ...rest, SLS_PROJECT: '' }, require: ['SLS_CG', 'SLS_AK_ID'] })).toThrow(
      /3 variables are missing: SLS_AK_ID, SLS_PROJECT, SLS_CG\n.*export SLS_AK_ID=…; export SLS_PROJECT=…; export SLS_CG=…/,
    )
    expect([SLS_AK_ID, SLS_PROJECT]).toEqual(['key', 'web'])
  })
})
