import Type from 'typebox'
import type { CallOptions } from './call.ts'
import { emptyAnswer, jsonAnswer, jsonBody } from './json-answer.ts'
import type { RequestSender } from './request-sender.ts'

/** A project as the service describes it. */
export interface ProjectInfo {
  readonly name: string
  readonly description: string
  readonly status: string
  readonly region: string
  readonly owner: string
  /** As the service writes them: seconds since 1970 in digits, or a date. */
  readonly createTime: string
  readonly lastModifyTime: string
}

export interface ProjectPage {
  /** On this page. */
  readonly count: number
  /** In all. */
  readonly total: number
  readonly projects: readonly ProjectInfo[]
}

const text = Type.Optional(Type.Union([Type.String(), Type.Number(), Type.Null()]))

const projectSchema = Type.Object({
  projectName: Type.String(),
  description: text,
  status: text,
  region: text,
  owner: text,
  createTime: text,
  lastModifyTime: text,
})

const pageSchema = Type.Object({
  count: Type.Integer({ minimum: 0 }),
  total: Type.Integer({ minimum: 0 }),
  projects: Type.Array(projectSchema),
})

const textOf = (value: string | number | null | undefined): string => String(value ?? '')

const infoOf = (project: Type.Static<typeof projectSchema>): ProjectInfo => ({
  name: project.projectName,
  description: textOf(project.description),
  status: textOf(project.status),
  region: textOf(project.region),
  owner: textOf(project.owner),
  createTime: textOf(project.createTime),
  lastModifyTime: textOf(project.lastModifyTime),
})

/** The calls about the client's own project, and the list of all (SLS protocol paper, section 8.1). */
export class ProjectCalls {
  readonly #sender: RequestSender
  readonly #project: string | undefined

  constructor(sender: RequestSender, project: string | undefined) {
    this.#sender = sender
    this.#project = project
  }

  /** Creates the client's project. @throws SlsError of class `conflict` when it exists. */
  async create(init: { readonly description?: string } = {}, options?: CallOptions): Promise<void> {
    const content = jsonBody({ projectName: this.#project, description: init.description ?? '' })
    const call = { name: this.#name('create'), method: 'POST', path: '/', ...content, repeat: 'once' } as const
    await this.#sender.call(call, emptyAnswer, options)
  }

  async get(options?: CallOptions): Promise<ProjectInfo> {
    const call = { name: this.#name('get'), method: 'GET', path: '/', repeat: 'safe' } as const
    return (await this.#sender.call(call, jsonAnswer(projectSchema, infoOf), options)).value
  }

  async update(change: { readonly description: string }, options?: CallOptions): Promise<void> {
    const content = jsonBody({ projectName: this.#project, description: change.description })
    const call = { name: this.#name('update'), method: 'PUT', path: '/', ...content, repeat: 'safe' } as const
    await this.#sender.call(call, emptyAnswer, options)
  }

  /** Deletes the client's project with all it holds. */
  async delete(options?: CallOptions): Promise<void> {
    const call = { name: this.#name('delete'), method: 'DELETE', path: '/', repeat: 'once' } as const
    await this.#sender.call(call, emptyAnswer, options)
  }

  /** One page of the projects of the account, from `offset` (default 0), of up to `size` (default 100). */
  async list(
    page: { readonly offset?: number; readonly size?: number; readonly nameFilter?: string } = {},
    options?: CallOptions,
  ): Promise<ProjectPage> {
    const query = { offset: page.offset ?? 0, size: page.size ?? 100, projectName: page.nameFilter }
    const name = 'list of projects'
    const call = { name, method: 'GET', path: '/', query, withoutProject: true, repeat: 'safe' } as const
    const read = jsonAnswer(pageSchema, ({ count, total, projects }) => ({
      count,
      total,
      projects: projects.map(infoOf),
    }))
    return (await this.#sender.call(call, read, options)).value
  }

  #name(verb: string): string {
    return `${verb} of project ${this.#project}`
  }
}
