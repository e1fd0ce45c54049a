// The tabs that a first visit opens. tests/acceptance/test_graphiql.py validates them all and runs them on a demo school.
import courses from "./examples/1-courses.graphql";
import classList from "./examples/2-class-list.graphql";
import enrollments from "./examples/3-enrollments.graphql";
import person from "./examples/4-person.graphql";
import changes from "./examples/5-changes.graphql";
import live from "./examples/6-live.graphql";

export const examples = [courses, classList, enrollments, person, changes, live].map((query) => ({ query }));
