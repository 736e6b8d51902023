// node scripts/dropped-promises.mjs [folder]: prints `path:line` of every promise that nobody waits for, in the files of
// the folder's tsconfig.json, and exits 1 when there is one. It asks the compiler for the types, because Biome's rules
// guess them and miss what comes from packages, from Node, from readonly arrays and from the values of a Map.
import { relative, resolve, sep } from 'node:path'
import { SyntaxKind } from 'typescript/unstable/ast'
import {
  isArrowFunction,
  isBinaryExpression,
  isCallExpression,
  isFunctionExpression,
  isNewExpression,
  isParenthesizedExpression,
  isPropertyAccessExpression,
} from 'typescript/unstable/ast/is'
import { API, SignatureKind, TypeFlags } from 'typescript/unstable/sync'

class PromiseCheck {
  #checker
  #thenable = new Map()

  constructor(checker) {
    this.#checker = checker
  }

  /** Positions. Functions given where nobody awaits them are judged outside tests only: tests misuse things on purpose. */
  offencesIn(file, isTest) {
    const statements = []
    const functions = []
    const visit = (node) => {
      if (node.kind === SyntaxKind.ExpressionStatement) node.forEachChild((child) => statements.push(child))
      if (isCallExpression(node) || isNewExpression(node)) functions.push(...(node.arguments ?? []))
      else if (isArrowFunction(node) || isFunctionExpression(node)) functions.push(node)
      node.forEachChild(visit)
    }
    visit(file)
    const open = statements.filter((node) => !isHandled(node))
    const types = this.#checker.getTypeAtLocation(open)
    const dropped = open.filter((_, index) => this.#isPromise(types[index]))
    const wasted = (isTest ? [] : [...new Set(functions)]).filter((node) => this.#isWastedFunction(node))
    return [...dropped, ...wasted].map((node) => node.getStart(file))
  }

  /** A promise, something that may be one, or an array of them. */
  #isPromise(type) {
    if (type === undefined || (type.flags & (TypeFlags.Any | TypeFlags.Unknown | TypeFlags.Never)) !== 0) return false
    const known = this.#thenable.get(type.id)
    if (known !== undefined) return known
    // A type that contains itself is not asked twice.
    this.#thenable.set(type.id, false)
    const answer = this.#looksLikePromise(type)
    this.#thenable.set(type.id, answer)
    return answer
  }

  #looksLikePromise(type) {
    if (type.isUnionType()) return type.getTypes().some((member) => this.#isPromise(member))
    if (type.isTypeParameter()) return this.#isPromise(this.#checker.getConstraintOfTypeParameter(type))
    if (this.#checker.isArrayType(type) && type.isTypeReference()) {
      return this.#isPromise(this.#checker.getTypeArguments(type)[0])
    }
    const then = this.#checker.getPropertyOfType(type, 'then')
    const method = then === undefined ? undefined : this.#checker.getTypeOfSymbol(then)
    return method !== undefined && this.#checker.getSignaturesOfType(method, SignatureKind.Call).length > 0
  }

  /** A function that returns a promise where the one who calls it expects nothing back. */
  #isWastedFunction(node) {
    const type = this.#checker.getTypeAtLocation(node)
    if (type === undefined || !this.#returns(type).some((result) => this.#isPromise(result))) return false
    const wanted = this.#checker.getContextualType(node)
    const results = wanted === undefined ? [] : this.#returns(wanted)
    return results.length > 0 && results.every((result) => (result.flags & TypeFlags.Void) !== 0)
  }

  #returns(type) {
    const members = type.isUnionType() ? type.getTypes() : [type]
    return members.flatMap((member) =>
      this.#checker.getSignaturesOfType(member, SignatureKind.Call).flatMap((signature) => {
        const result = this.#checker.getReturnTypeOfSignature(signature)
        return result === undefined ? [] : [result]
      }),
    )
  }
}

const methodCall = (node) => {
  if (!isCallExpression(node) || !isPropertyAccessExpression(node.expression)) return undefined
  return { object: node.expression.expression, name: node.expression.name.getText(), given: node.arguments.length }
}

/** Assigned, or with an answer to its rejection. */
const isHandled = (node) => {
  if (isParenthesizedExpression(node)) return isHandled(node.expression)
  if (isBinaryExpression(node)) {
    const operator = node.operatorToken.kind
    return operator >= SyntaxKind.FirstAssignment && operator <= SyntaxKind.LastAssignment
  }
  const call = methodCall(node)
  if (call === undefined) return false
  if (call.name === 'finally') return isHandled(call.object)
  return (call.name === 'catch' && call.given > 0) || (call.name === 'then' && call.given > 1)
}

const folder = resolve(process.argv[2] ?? '.')
const api = new API({ cwd: folder })
const snapshot = api.updateSnapshot({ openProjects: [`${folder}/tsconfig.json`] })
const project = snapshot.getProjects()[0]
if (project === undefined) throw new Error(`${folder}/tsconfig.json cannot be opened`)
const check = new PromiseCheck(project.checker)
for (const name of project.rootFiles) {
  const file = project.program.getSourceFile(name)
  const path = relative(folder, name).split(sep).join('/')
  const lines = check
    .offencesIn(file, path.startsWith('test/'))
    .map((at) => file.getLineAndCharacterOfPosition(at).line + 1)
  for (const line of [...new Set(lines)].sort((a, b) => a - b)) {
    process.stdout.write(`${path}:${line} drops a promise: await it, return it, catch it, or write void before it\n`)
    process.exitCode = 1
  }
}
snapshot.dispose()
api.close()
