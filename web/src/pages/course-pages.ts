//! The pages about courses, as one piece that is fetched when somebody goes there.
export { default as CoursePage } from './CoursePage.svelte';
export { default as Courses } from './Courses.svelte';
export { default as Deck } from './Deck.svelte';
export { default as LabPage } from './LabPage.svelte';
