/** A small certificate authority: ECDSA P-256, one level, certificates for hosts (client) and receivers (server). */
import 'reflect-metadata'
import { createPrivateKey, createPublicKey, randomBytes, type webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'

type CryptoKey = webcrypto.CryptoKey
type CryptoKeyPair = webcrypto.CryptoKeyPair

const day = 86_400_000
/** A machine whose clock is a little behind must not find a fresh certificate "not yet valid". */
const clockTolerance = 5 * 60_000
const signing = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

export interface Authority {
  readonly certPem: string
  readonly keyPem: string
  readonly certificate: x509.X509Certificate
  readonly privateKey: CryptoKey
}

export interface Issued {
  readonly certPem: string
  readonly keyPem: string
}

interface Validity {
  /** Default: five minutes ago. */
  readonly notBefore?: Date
  readonly notAfter?: Date
}

export interface AuthorityOptions extends Validity {
  readonly name: string
  /** Left out: self-signed, a root. */
  readonly issuedBy?: Authority
  /** How many authorities may follow below this one. Default 0. */
  readonly pathLength?: number
  /** Its P-256 key in PEM form; left out: a new one. */
  readonly keyPem?: string
}

/** Makes a key and its CA certificate, valid for 10 years if nothing else is said. */
export async function createAuthority(options: AuthorityOptions): Promise<Authority> {
  const keys = options.keyPem === undefined ? await newKeys() : await importKeys(options.keyPem)
  const { issuedBy } = options
  const certificate = await sign(
    options,
    3650 * day,
    issuedBy ?? { subject: commonName(options.name), privateKey: keys.privateKey },
    {
      subject: commonName(options.name),
      publicKey: keys.publicKey,
      extensions: [
        new x509.BasicConstraintsExtension(true, options.pathLength ?? 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
        await x509.AuthorityKeyIdentifierExtension.create(issuedBy?.certificate.publicKey ?? keys.publicKey),
      ],
    },
  )
  return { certPem: pem(certificate), keyPem: await exportKey(keys.privateKey), certificate, privateKey: keys.privateKey }
}

/** Takes up an authority from its two files. @throws Error when they are not PEM, the key is no P-256 key, or they do not belong together */
export async function loadAuthority(certPem: string, keyPem: string): Promise<Authority> {
  const certificate = new x509.X509Certificate(certPem)
  const { privateKey } = await importKeys(keyPem)
  const probe = randomBytes(32)
  const signature = await crypto.subtle.sign(signing, privateKey, probe)
  const publicKey = await certificate.publicKey.export(signing, ['verify'])
  if (!(await crypto.subtle.verify(signing, publicKey, signature, probe)))
    throw new Error('the key does not belong to the CA certificate')
  return { certPem, keyPem, certificate, privateKey }
}

export interface CertificateOptions extends Validity {
  readonly commonName: string
  readonly dnsNames?: readonly string[]
  readonly ipAddresses?: readonly string[]
  readonly usage: 'server' | 'client'
}

/** Makes a key and a certificate for it, valid for 30 days if nothing else is said. */
export async function issueCertificate(authority: Authority, options: CertificateOptions): Promise<Issued> {
  const keys = await newKeys()
  return { certPem: await certify(authority, options, keys.publicKey), keyPem: await exportKey(keys.privateKey) }
}

/** A certificate that its own key signed: nobody vouches for it. */
export async function selfSigned(options: CertificateOptions): Promise<Issued> {
  const keys = await newKeys()
  const issuer = { subject: commonName(options.commonName), privateKey: keys.privateKey }
  const certificate = await sign(options, 30 * day, issuer, await endEntity(options, keys.publicKey))
  return { certPem: pem(certificate), keyPem: await exportKey(keys.privateKey) }
}

/** PKCS #7 without a signature, DER: how EST hands out certificates. */
export function certificatesOnly(pems: readonly string[]): Buffer {
  return Buffer.from(new x509.X509Certificates(pems.map((one) => new x509.X509Certificate(one))).export('raw'))
}

/** Certifies a key that somebody else holds (a signing request). @returns PEM */
export async function certify(authority: Authority, options: CertificateOptions, publicKey: x509.PublicKeyType): Promise<string> {
  const subject = await endEntity(options, publicKey)
  const keyId = await x509.AuthorityKeyIdentifierExtension.create(authority.certificate.publicKey)
  return pem(await sign(options, 30 * day, authority, { ...subject, extensions: [...subject.extensions, keyId] }))
}

interface Subject {
  readonly subject: x509.JsonName
  readonly publicKey: x509.PublicKeyType
  readonly extensions: x509.Extension[]
}

async function endEntity(options: CertificateOptions, publicKey: x509.PublicKeyType): Promise<Subject> {
  const names: x509.JsonGeneralNames = [
    ...(options.dnsNames ?? []).map((value) => ({ type: 'dns' as const, value })),
    ...(options.ipAddresses ?? []).map((value) => ({ type: 'ip' as const, value })),
  ]
  const usage = options.usage === 'server' ? x509.ExtendedKeyUsage.serverAuth : x509.ExtendedKeyUsage.clientAuth
  const extensions: x509.Extension[] = [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    new x509.ExtendedKeyUsageExtension([usage]),
    await x509.SubjectKeyIdentifierExtension.create(publicKey),
  ]
  const subject = commonName(options.commonName)
  // RFC 5280 4.1.2.6: with an empty subject the alternative name is critical.
  if (names.length > 0) extensions.push(new x509.SubjectAlternativeNameExtension(names, subject.length === 0))
  return { subject, publicKey, extensions }
}

/** As attributes, not as text: a comma or an equals sign stays part of the name. A CN ends at 64 characters; longer names stand in the SAN alone. */
function commonName(name: string): x509.JsonName {
  return name.length > 64 ? [] : [{ CN: [name] }]
}

type Issuer = Authority | { readonly subject: x509.JsonName; readonly privateKey: CryptoKey }

async function sign(validity: Validity, lifetime: number, issuer: Issuer, subject: Subject): Promise<x509.X509Certificate> {
  const notBefore = validity.notBefore ?? new Date(Date.now() - clockTolerance)
  return await x509.X509CertificateGenerator.create({
    ...subject,
    serialNumber: newSerial(),
    notBefore,
    notAfter: validity.notAfter ?? new Date(notBefore.getTime() + lifetime),
    issuer: 'certificate' in issuer ? issuer.certificate.subjectName : issuer.subject,
    signingKey: issuer.privateKey,
    signingAlgorithm: signing,
  })
}

/** 127 random bits: positive, never zero, 16 bytes of DER. */
function newSerial(): string {
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40
  return bytes.toString('hex')
}

/** A new P-256 key. */
export async function newKeyPem(): Promise<string> {
  return await exportKey((await newKeys()).privateKey)
}

/** Through node:crypto: `openssl ecparam` writes SEC 1, WebCrypto reads PKCS #8 only. */
async function importKeys(keyPem: string): Promise<CryptoKeyPair> {
  const pkcs8 = createPrivateKey(keyPem).export({ type: 'pkcs8', format: 'der' })
  const spki = createPublicKey(keyPem).export({ type: 'spki', format: 'der' })
  return {
    privateKey: await crypto.subtle.importKey('pkcs8', new Uint8Array(pkcs8), signing, true, ['sign']),
    publicKey: await crypto.subtle.importKey('spki', new Uint8Array(spki), signing, true, ['verify']),
  }
}

async function newKeys(): Promise<CryptoKeyPair> {
  return await crypto.subtle.generateKey(signing, true, ['sign', 'verify'])
}

async function exportKey(key: CryptoKey): Promise<string> {
  return `${x509.PemConverter.encode(await crypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')}\n`
}

function pem(certificate: x509.X509Certificate): string {
  return `${certificate.toString('pem')}\n`
}
