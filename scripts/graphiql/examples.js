// The tabs that a first visit opens. tests/acceptance/test_browser.py runs the first; a test validates them all.
import courses from "./examples/1-courses.graphql";

export const examples = [courses].map((query) => ({ query }));
