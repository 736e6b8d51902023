import { createSign, generateKeyPairSync, type KeyObject } from 'node:crypto'

/** Just enough DER to write a certificate: no key is ever kept in the repository. */
const der = (tag: number, ...parts: readonly Uint8Array[]): Buffer => {
  const content = Buffer.concat(parts)
  const { length } = content
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}
const sequence = (...parts: readonly Uint8Array[]): Buffer => der(0x30, ...parts)
const bits = (bytes: Uint8Array): Buffer => der(0x03, Buffer.from([0]), bytes)
const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'))
const time = (at: Date): Buffer =>
  der(0x18, Buffer.from(`${at.toISOString().slice(0, 19).replace(/[-:T]/g, '')}Z`, 'latin1'))
const nameOf = (text: string): Buffer =>
  sequence(der(0x31, sequence(oid('550403'), der(0x0c, Buffer.from(text, 'utf8')))))
const ecdsaWithSha256 = sequence(oid('2a8648ce3d040302'))

export interface Identity {
  readonly name: string
  readonly key: string
  /** The certificate in PEM. */
  readonly cert: string
  readonly privateKey: KeyObject
}

export interface IdentityOptions {
  /** Who signs it; itself when left out. */
  readonly issuer?: Identity
  readonly host?: string
  readonly notAfter?: Date
  readonly authority?: boolean
}

const year = 365 * 86_400_000
let serial = 1

/** A key and a certificate for it. */
export const identity = (name: string, options: IdentityOptions = {}): Identity => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const now = Date.now()
  const notAfter = options.notAfter ?? new Date(now + year)
  const extensions: Buffer[] = []
  if (options.authority) {
    extensions.push(
      sequence(oid('551d13'), der(0x01, Buffer.from([255])), der(0x04, sequence(der(0x01, Buffer.from([255]))))),
    )
  }
  if (options.host !== undefined) {
    extensions.push(sequence(oid('551d11'), der(0x04, sequence(der(0x82, Buffer.from(options.host, 'latin1'))))))
  }
  serial += 1
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([serial & 127])),
    ecdsaWithSha256,
    nameOf(options.issuer?.name ?? name),
    sequence(time(new Date(now - 2 * year)), time(notAfter)),
    nameOf(name),
    publicKey.export({ type: 'spki', format: 'der' }),
    ...(extensions.length === 0 ? [] : [der(0xa3, sequence(...extensions))]),
  )
  const signature = createSign('sha256')
    .update(body)
    .sign(options.issuer?.privateKey ?? privateKey)
  const certificate = sequence(body, ecdsaWithSha256, bits(signature))
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? []
  return {
    name,
    privateKey,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`,
  }
}
