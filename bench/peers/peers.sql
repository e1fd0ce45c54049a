-- What PostGraphile serves. It has no filters beyond equality, so the rows that a roster shows are views, as its documentation
-- advises; the comments are its smart tags, for the tables have no foreign keys.
create schema peers;

create view peers.course as
  select id, name from public.course
  where institution_id = 1 and removed_at is null;
comment on view peers.course is E'@primaryKey id';

create view peers.section as
  select id, course_id, name from public.section where institution_id = 1 and removed_at is null;
comment on view peers.section is E'@primaryKey id\n@foreignKey (course_id) references peers.course (id)';

create view peers."user" as
  select id, name, email, sis_id from public.person where institution_id = 1;
comment on view peers."user" is E'@primaryKey id';

create view peers.enrollment as
  select id, course_id, section_id, person_id as user_id, type, state from public.enrollment
  where institution_id = 1 and removed_at is null and state in ('ACTIVE', 'INVITED', 'CREATION_PENDING');
comment on view peers.enrollment is E'@primaryKey id\n@foreignKey (course_id) references peers.course (id)\n@foreignKey (section_id) references peers.section (id)\n@foreignKey (user_id) references peers.user (id)';
