/**
 * A client of @alicloud/sls20201230 with puts and pulls that work. Its own two do not (protocol paper, §4.1): putLogs
 * throws before it sends, pullLogs leaves the project out of the host. So both go through the SDK's own `execute`, which
 * compresses, signs, sends and decodes as for every other call.
 */
import { endpoint, key, load } from './driver.mjs'

const sdk = load('@alicloud/sls20201230')
const { $OpenApiUtil } = load('@alicloud/openapi-core')

/** The request classes of the SDK. */
export const models = sdk

export const connect = ({ id = key.id, secret = key.secret, token, version = 'v1', host = endpoint } = {}) =>
  new sdk.default(
    new $OpenApiUtil.Config({
      accessKeyId: id,
      accessKeySecret: secret,
      ...(token === undefined ? {} : { securityToken: token }),
      signatureVersion: version,
      regionId: 'cn-hangzhou',
      endpoint: host,
      protocol: 'http',
    }),
  )

const params = (method, pathname, action, reqBodyType) =>
  new $OpenApiUtil.Params({
    action,
    version: '2020-12-30',
    protocol: 'HTTP',
    pathname,
    method,
    authType: 'AK',
    style: 'ROA',
    reqBodyType,
    bodyType: 'byte',
  })

/** Puts an encoded group. The codec is lz4, deflate, or undefined for none. */
export const put = (client, project, logstore, body, codec) =>
  client.execute(
    // PutLogs would compress by itself.
    params('POST', `/logstores/${logstore}/shards/lb`, 'Put', 'binary'),
    new $OpenApiUtil.OpenApiRequest({
      hostMap: { project },
      headers: {
        'content-type': 'application/x-protobuf',
        ...(codec === undefined ? {} : { 'x-log-compresstype': codec }),
      },
      body,
    }),
    {},
  )

/** Pulls: the decoded list, its headers, and the next cursor. */
export const pull = async (client, project, logstore, shard, query, codec = 'lz4') => {
  const { headers, body } = await client.execute(
    params('GET', `/logstores/${logstore}/shards/${shard}?type=log`, 'Pull', 'none'),
    new $OpenApiUtil.OpenApiRequest({
      hostMap: { project },
      headers: { 'Accept-Encoding': codec, accept: 'application/x-protobuf' },
      query,
    }),
    {},
  )
  return { headers, body, next: headers['x-log-cursor'], count: Number(headers['x-log-count']) }
}

export const cursorOf = async (client, project, logstore, shard, from) => {
  const { body } = await client.getCursor(
    project,
    logstore,
    String(shard),
    new sdk.GetCursorRequest({ from: String(from) }),
  )
  return body.cursor
}
