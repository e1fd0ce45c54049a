// The part of the graph that the questions need, as a Node.js team would serve it: resolvers, pg, a DataLoader a relation.
import DataLoader from "dataloader";
import pg from "pg";

const INSTITUTION = 1;
const GLOBAL_ID = 10_000_000_000_000n; // what stands before a Canvas id of the first shard
const ON_ROSTER = "state in ('ACTIVE', 'INVITED', 'CREATION_PENDING') and removed_at is null";
const ENROLLMENT = "id, type, state, person_id, section_id";

export const typeDefs = `
  type User { id: ID! name: String email: String sisId: String }
  type Enrollment { id: ID! type: String! state: String! user: User! section: Section }
  type Enrollments { nodes: [Enrollment!]! }
  type Section { id: ID! name: String enrollments(first: Int = 50): Enrollments! }
  type Sections { nodes: [Section!]! }
  type Course { id: ID! name: String enrollments(first: Int = 50): Enrollments! sections(first: Int = 50): Sections! }
  type Courses { nodes: [Course!]! }
  input CourseBy { canvasId: ID }
  type Query { course(by: CourseBy!): Course courses(first: Int = 50): Courses! }
`;

const pool = new pg.Pool({ connectionString: process.env.BENCH_DATABASE, max: 8 });

// Named statements are prepared once a connection.
async function rows(name, text, values) {
  return (await pool.query({ name, text, values: [INSTITUTION, ...values] })).rows;
}

function byId(name, columns, table) {
  const text = `select ${columns} from ${table} where institution_id = $1 and id = any($2::bigint[])`;
  return new DataLoader(async (ids) => {
    const found = new Map((await rows(name, text, [ids])).map((row) => [row.id, row]));
    return ids.map((id) => found.get(id));
  });
}

async function sectionsOf(courses) {
  const text = `select id, name, course_id from section
    where institution_id = $1 and course_id = any($2::bigint[]) and removed_at is null order by id`;
  const found = new Map(courses.map((course) => [course, []]));
  for (const row of await rows("sections of courses", text, [courses])) found.get(row.course_id).push(row);
  return courses.map((course) => found.get(course));
}

// One a request: what a loader keeps must not outlive it.
export function context() {
  return {
    users: byId("users", 'id, name, email, sis_id as "sisId"', "person"),
    sections: byId("sections", "id, name", "section"),
    sectionsOf: new DataLoader(sectionsOf),
  };
}

async function enrollments(column, parent, first) {
  const text = `select ${ENROLLMENT} from enrollment where institution_id = $1 and ${column} = $2 and ${ON_ROSTER}
    order by id limit $3`;
  return { nodes: await rows(`enrollments by ${column}`, text, [parent, first]) };
}

function globalId(type) {
  return (row) => Buffer.from(`${type}:${row.id}`).toString("base64");
}

export const resolvers = {
  Query: {
    async course(_, { by }) {
      const text = "select id, name from course where institution_id = $1 and canvas_id = $2";
      return (await rows("course", text, [GLOBAL_ID + BigInt(by.canvasId)]))[0];
    },
    async courses(_, { first }) {
      const text = "select id, name from course where institution_id = $1 and removed_at is null order by id limit $2";
      return { nodes: await rows("courses", text, [first]) };
    },
  },
  Course: {
    id: globalId("Course"),
    enrollments: (course, { first }) => enrollments("course_id", course.id, first),
    sections: async (course, { first }, { sectionsOf }) => ({
      nodes: (await sectionsOf.load(course.id)).slice(0, first),
    }),
  },
  Section: {
    id: globalId("Section"),
    enrollments: (section, { first }) => enrollments("section_id", section.id, first),
  },
  Enrollment: {
    id: globalId("Enrollment"),
    user: (enrollment, _, { users }) => users.load(enrollment.person_id),
    section: (enrollment, _, { sections }) =>
      enrollment.section_id === null ? null : sections.load(enrollment.section_id),
  },
  User: { id: globalId("User") },
};
