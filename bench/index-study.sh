#!/usr/bin/env bash
# Chooses the indexes of the `tasks` table by measurement. Self-contained: needs root, PostgreSQL 15, ~4 GB of /tmp.
#   index-study.sh            everything (about half an hour); results in $DIR/out
#   CANDS="a b" index-study.sh   only these candidates
#   STAGES="rounds report" index-study.sh   only these stages, on the data of an earlier run
# Times on a busy machine are noisy. What to compare is what `rounds` measures: all candidates in turn, several times
# over, the best median of each. What `candidates` gives is the plans, the buffers, the WAL bytes and the HOT shares.
set -euo pipefail
DIR=${DIR:-/tmp/index-study} PORT=${PORT:-5499} BIN=${BIN:-/usr/lib/postgresql/15/bin} OUT=$DIR/out
ROWS_PER_USER=50 USERS=20000 BIG=10000 RUNS=21 DML=20000
export PGHOST=$DIR/sock PGPORT=$PORT PGUSER=postgres PGOPTIONS='-c client_min_messages=warning'
as_pg() { setpriv --reuid postgres --regid postgres --clear-groups "$@"; }
sql() { psql -qXAt -v ON_ERROR_STOP=1 "$@"; }

declare -A C
B='("userId", "createdAt", "id")'
C[z]=''                                                                    # none but the primary key
C[a]='("userId")'
C[ah]='using hash ("userId")'
C[b]="$B"
C[b2]='("userId", "createdAt")'
C[c1]="$B include (\"status\")"
C[c2]='("userId", "createdAt", "id", "status")'
C[d]='("userId");("status");("priority");("category");("dueDate")'         # the seed's
C[e]="$B;(\"userId\", \"status\")"
C[e2]='("userId", "status")'
C[f1]="$B;(\"userId\", \"dueDate\", \"createdAt\", \"id\")"
C[f2]="$B;(\"userId\", \"priority\", \"createdAt\", \"id\")"
C[f3]="$B;(\"userId\", (upper(\"title\" collate \"und-x-icu\") collate \"C\"), \"createdAt\", \"id\")"
C[g1]='("userId", "status", "createdAt", "id")'
C[g2]="$B;(\"userId\", \"status\", \"createdAt\", \"id\")"
C[g3]='("userId") include ("status")'
STAGES=${STAGES:-base candidates grown rounds expressions report}
CANDS=${CANDS:-z a ah b b2 c1 c2 d e e2 f1 f2 f3 g1 g2 g3}

start() {
  mkdir -p "$DIR" "$OUT"
  if [[ $STAGES != *base* ]]; then as_pg nice -n 10 "$BIN/pg_ctl" -D "$DIR/pg" -l "$DIR/pg/log" -w start >/dev/null; return; fi
  rm -rf "$DIR/pg" "$DIR/sock"; mkdir "$DIR/pg" "$DIR/sock"; chown postgres: "$DIR/pg" "$DIR/sock"
  as_pg "$BIN/initdb" -D "$DIR/pg" -A trust --encoding UTF8 --locale C.UTF-8 >"$OUT/initdb.log"
  cat >>"$DIR/pg/postgresql.conf" <<E
port = $PORT
listen_addresses = ''
unix_socket_directories = '$DIR/sock'
shared_buffers = 256MB
fsync = off
autovacuum = off
max_wal_size = 16GB
checkpoint_timeout = 1h
maintenance_work_mem = 256MB
max_parallel_maintenance_workers = 0
E
  as_pg nice -n 10 "$BIN/pg_ctl" -D "$DIR/pg" -l "$DIR/pg/log" -w start >/dev/null
}
stop() { as_pg "$BIN/pg_ctl" -D "$DIR/pg" -m fast -w stop >/dev/null; }

base() {
  sql -d postgres -c 'create database base'
  sql -d base -v upu=$ROWS_PER_USER -v users=$USERS -v big=$BIG <<'E'
create table "user" ("id" text primary key, "name" text not null, "email" text not null unique,
  "emailVerified" boolean not null, "image" text,
  "createdAt" timestamptz not null default current_timestamp, "updatedAt" timestamptz not null default current_timestamp);
create type "task_priority" as enum ('low', 'medium', 'high');
create type "task_category" as enum ('work', 'personal', 'home', 'other');
create type "task_status" as enum ('pending', 'completed');
create table "tasks" (
  "id" uuid primary key,
  "title" varchar(255) not null,
  "description" text,
  "priority" task_priority not null,
  "category" task_category not null,
  "status" task_status not null,
  "completed" boolean not null generated always as ("status" = 'completed'::task_status) stored,
  "dueDate" timestamp(3),
  "dueDateIsFloating" boolean not null,
  "createdAt" timestamptz(3) not null,
  "updatedAt" timestamptz(3) not null,
  "userId" text not null references "user" ("id") on delete cascade);
-- Better Auth's ids: 32 letters and digits
create function owner(n int) returns text immutable language sql as
  $$ select translate(left(encode(sha256(int4send(n)), 'base64'), 32), '+/', 'xY') $$;
create function uuid7(t timestamptz) returns uuid volatile language sql as $$
  select (lpad(to_hex((extract(epoch from t) * 1000)::bigint), 12, '0') || '7' || substr(md5(random()::text), 1, 3)
    || substr('89ab', 1 + floor(random() * 4)::int, 1) || substr(md5(random()::text), 1, 15))::uuid $$;
create function pick(a text[]) returns text volatile language sql as
  $$ select a[1 + floor(random() * array_length(a, 1))::int] $$;
create function a_title() returns text volatile language sql as $$
  select concat_ws(' ',
    pick('{Buy,Call,Fix,Write,Review,Book,Clean,Renew,Prepare,Send,Cancel,Plan,Order,Update,Répondre à,Read,Return,Pay,Deploy,Test}'),
    pick('{the quarterly report,milk and bread,the dentist,a birthday present,the kitchen sink,the car insurance,slides,the landlord,train tickets,the pull request,a café table,Zürich hotel,the garden,tax forms,winter tyres,the invoices,library books,the gym contract,staging server,unit tests}'),
    pick('{for Anna,before Friday,with Tom,for the team,next week,again,online,for mum,after work,at the office,"","","",(urgent),for the Łódź trip}')) $$;
create function a_sentence() returns text volatile language sql as $$
  select pick('{Ask for the receipt and keep it.,The number is in the contacts list.,Check whether the old version still works before changing it.,See the notes from the last meeting.,They open at nine and close at five.,Do not forget the naïve approach we tried in March.,Costs about 40 euros.,Maria knows the details.,Blocked until the parts arrive from the supplier.,Remember to copy the whole team on the reply.,Needs two hours without interruption.,The address is on the fridge door.}') $$;
insert into "user" (id, name, email, "emailVerified")
  select owner(n), 'User ' || n, 'user' || n || '@example.com', true from generate_series(1, :users + 2) n;
-- every user's tasks are scattered over a year, so over the whole heap
insert into tasks ("id", "title", "description", "priority", "category", "status", "dueDate", "dueDateIsFloating", "createdAt", "updatedAt", "userId")
select uuid7(t), a_title(),
  case when random() < 0.7 then concat_ws(' ', a_sentence(), case when random() < .7 then a_sentence() end,
    case when random() < .5 then a_sentence() end, case when random() < .4 then a_sentence() || ' ' || a_sentence() end) end,
  pick('{low,medium,medium,high}')::task_priority, pick('{work,work,personal,home,other}')::task_category,
  case when random() < 0.6 then 'pending' else 'completed' end::task_status,
  case when r < 0.5 then date_trunc('minute', t at time zone 'UTC' + random() * interval '30 days') end, r < 0.25,
  t, t + random() * random() * interval '20 days', owner(u)
from (select u, n, random() r, timestamptz '2025-11-20' + n * interval '31 seconds' + random() * interval '30 seconds' t
      from (select u, row_number() over (order by random()) n
            from (select u from generate_series(1, :users) u, generate_series(1, :upu)
                  union all select u from generate_series(:users + 1, :users + 2) u, generate_series(1, :big)) x) y) z
order by n;
create table picks as select row_number() over (order by random())::int n, id, "userId" from tasks tablesample bernoulli (20);
alter table picks add primary key (n);

-- what the plan is, in one line
create function plan_line(p jsonb) returns text language sql as $$
  select concat(p->>'Node Type', case when p->>'Scan Direction' = 'Backward' then '<' end,
    '[' || coalesce(p->>'Index Name', case when p->>'Sort Space Type' = 'Disk' then 'disk ' || (p->>'Sort Space Used') || 'kB' end) || ']',
    case when (p->>'Heap Fetches')::int > 0 then '{heap ' || (p->>'Heap Fetches') || '}' end,
    (select ' <- ' || string_agg(plan_line(c), ' & ') from jsonb_array_elements(p->'Plans') c)) $$;
-- $u and $i in the query stand for a user and for the id of one of their tasks; each is run once before it is measured
create function bench(q text, big boolean, runs int, undo boolean default false)
returns table (plans text, buffers numeric, temp numeric, exec_ms numeric, plan_ms numeric, trigger_ms numeric, rows numeric) language plpgsql as $$
declare j jsonb; u text; i uuid; s text; n int; m int; step int; r jsonb := '[]';
begin
  for n in 1..runs loop
    u := owner(case when big then 20001 + n % 2 else (n * 613) % 20000 + 1 end);
    select id into i from tasks t where "userId" = u order by md5(id::text) limit 1;
    s := replace(replace(q, '$u', quote_literal(u)), '$i', quote_literal(i));
    for step in 1..2 loop
      if undo then
        begin
          execute 'explain (analyze, buffers, timing on, format json) ' || s into j;
          raise exception using errcode = 'UUUUU';
        exception when sqlstate 'UUUUU' then null;
        end;
      else
        execute 'explain (analyze, buffers, timing off, format json) ' || s into j;
      end if;
    end loop;
    r := r || jsonb_build_array(jsonb_build_object('p', plan_line(j->0->'Plan'),
      'b', (j->0->'Plan'->>'Shared Hit Blocks')::int + (j->0->'Plan'->>'Shared Read Blocks')::int,
      't', (j->0->'Plan'->>'Temp Written Blocks')::int, 'e', (j->0->>'Execution Time')::numeric, 'l', (j->0->>'Planning Time')::numeric,
      'g', (select sum((x->>'Time')::numeric) from jsonb_array_elements(j->0->'Triggers') x), 'n', (j->0->'Plan'->>'Actual Rows')::int));
  end loop;
  return query select mode() within group (order by regexp_replace(regexp_replace(x->>'p', '\d+kB', ''), 'heap \d+', 'heap')),
    percentile_cont(.5) within group (order by (x->>'b')::int)::numeric, percentile_cont(.5) within group (order by (x->>'t')::int)::numeric,
    round(percentile_cont(.5) within group (order by (x->>'e')::float)::numeric, 3), round(percentile_cont(.5) within group (order by (x->>'l')::float)::numeric, 3),
    round(percentile_cont(.5) within group (order by (x->>'g')::float)::numeric, 3), percentile_cont(.5) within group (order by (x->>'n')::int)::numeric
    from jsonb_array_elements(r) x;
end $$;

create table queries (k serial, name text, undo boolean default false, q text);
insert into queries (name, q) select n, 'select "id", "userId", "title", "description", "priority", "category", "status",
 to_char("dueDate", ''YYYY-MM-DD"T"HH24:MI:SS.MS'') as "dueDate", "dueDateIsFloating",
 to_char("createdAt" at time zone ''UTC'', ''YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'') as "createdAt",
 to_char("updatedAt" at time zone ''UTC'', ''YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'') as "updatedAt" from "tasks" where "userId" = $u ' || w
from (values
 ('list', 'order by "tasks"."createdAt" desc, "id" desc'),
 ('list created asc', 'order by "tasks"."createdAt" asc, "id" asc'),
 ('list updated asc', 'order by "tasks"."updatedAt" asc nulls last, "tasks"."createdAt" asc, "id" asc'),
 ('list updated desc', 'order by "tasks"."updatedAt" desc nulls last, "tasks"."createdAt" desc, "id" desc'),
 ('list due asc', 'order by "tasks"."dueDate" asc nulls last, "tasks"."createdAt" asc, "id" asc'),
 ('list due desc', 'order by "tasks"."dueDate" desc nulls last, "tasks"."createdAt" desc, "id" desc'),
 ('list priority asc', 'order by "tasks"."priority" asc nulls last, "tasks"."createdAt" asc, "id" asc'),
 ('list priority desc', 'order by "tasks"."priority" desc nulls last, "tasks"."createdAt" desc, "id" desc'),
 ('list title asc', 'order by upper("tasks"."title" collate "und-x-icu") collate "C" asc nulls last, "tasks"."createdAt" asc, "id" asc'),
 ('list title desc', 'order by upper("tasks"."title" collate "und-x-icu") collate "C" desc nulls last, "tasks"."createdAt" desc, "id" desc'),
 ('status pending', 'and "status" = ''pending'' order by "tasks"."createdAt" desc, "id" desc'),
 ('status completed', 'and "status" = ''completed'' order by "tasks"."createdAt" desc, "id" desc'),
 ('priority high', 'and "priority" = ''high'' order by "tasks"."createdAt" desc, "id" desc'),
 ('category home', 'and "category" = ''home'' order by "tasks"."createdAt" desc, "id" desc'),
 ('pending high home', 'and "status" = ''pending'' and "priority" = ''high'' and "category" = ''home'' order by "tasks"."createdAt" desc, "id" desc'),
 ('pending by due', 'and "status" = ''pending'' order by "tasks"."dueDate" asc nulls last, "tasks"."createdAt" asc, "id" asc'),
 ('search', 'and (position(upper(''CAFÉ''::text collate "und-x-icu") in upper("tasks"."title" collate "und-x-icu")) > 0 or position(upper(''CAFÉ''::text collate "und-x-icu") in upper("tasks"."description" collate "und-x-icu")) > 0) order by "tasks"."createdAt" desc, "id" desc'),
 ('find', 'and "id" = $i')) v (n, w);
insert into queries (name, q) values ('count', 'select count(*)::int as "total", (count(*) filter (where status = ''pending''))::int as "pending", (count(*) filter (where status = ''completed''))::int as "completed" from "tasks" where "userId" = $u');
insert into queries (name, undo, q) values
 ('find for update', true, (select q from queries where name = 'find') || ' for update'),
 ('remove', true, 'delete from "tasks" where "userId" = $u and "id" = $i'),
 ('insert (FK check)', true, 'insert into tasks ("id", "userId", "title", "description", "priority", "category", "status", "createdAt", "updatedAt", "dueDate", "dueDateIsFloating") values (uuid7(now()), $u, ''t'', null, ''low'', ''work'', ''pending'', now(), now(), null, false)'),
 ('delete user', true, 'delete from "user" where id = $u');
E
  sql -d base -c 'vacuum (freeze, analyze)' -c 'checkpoint'
  sql -d base -F' | ' -c "select relname, relkind, reltuples, relpages, pg_size_pretty(pg_relation_size(oid)) from pg_class where relname ~ '^(tasks|user)' order by 1" \
    -c "select round(avg(length(title))), max(length(title)), round(avg(length(description))), round(avg((description is null)::int), 2), round(avg(pg_column_size(t))) from tasks t tablesample system (2)" \
    -c "select 'pages of user 1', count(distinct (ctid::text::point)[0]) from tasks where \"userId\" = owner(1)" \
    -c "select attname, n_distinct, correlation from pg_stats where tablename = 'tasks'" >"$OUT/base.txt"
}

indexes() { # $1 candidate, $2 database
  local IFS=';' d; for d in ${C[$1]}; do case $d in using*) sql -d "$2" -c "create index on tasks $d" ;; *) sql -d "$2" -c "create index on tasks using btree $d" ;; esac; done
}
fresh() { # $1 candidate
  sql -d postgres -c 'drop database if exists cand' -c 'create database cand template base strategy file_copy'
  indexes "$1" cand; sql -d cand -c 'vacuum (analyze) tasks'
}

cat_scripts() {
  cat >"$DIR/insert.pgb" <<'E'
\set n random(1, 20000)
insert into tasks ("id", "userId", "title", "description", "priority", "category", "status", "createdAt", "updatedAt", "dueDate", "dueDateIsFloating") values (uuid7(clock_timestamp()), owner(:n), 'Buy milk and bread before Friday', 'See the notes from the last meeting. Costs about 40 euros. Remember to copy the whole team on the reply.', 'medium', 'work', 'pending', clock_timestamp(), clock_timestamp(), clock_timestamp() at time zone 'UTC' + interval '3 days', false);
E
  # The update of the repository writes every column, the unchanged ones with their old value.
  cat >"$DIR/update.pgb" <<'E'
\set n random(1, 200000)
update tasks t set "status" = case t.status when 'pending' then 'completed' else 'pending' end::task_status, "updatedAt" = clock_timestamp(), id = t.id, "userId" = t."userId", title = t.title, description = t.description, priority = t.priority, category = t.category, "createdAt" = t."createdAt", "dueDate" = t."dueDate", "dueDateIsFloating" = t."dueDateIsFloating" from picks p where p.n = :n and t.id = p.id and t."userId" = p."userId";
E
}
dml() { # $1 candidate, $2 label, $3 script: ms per 1,000 / WAL bytes each / HOT share
  local w0 w1 lat
  sql -d cand -c 'checkpoint' -c 'select pg_stat_reset()' >/dev/null
  w0=$(sql -d cand -c 'select pg_current_wal_insert_lsn()')
  lat=$(nice -n 5 pgbench -n -M prepared -c 1 -t $DML -f "$3" --random-seed=7 cand 2>/dev/null | sed -n 's/^latency average = \(.*\) ms/\1/p')
  w1=$(sql -d cand -c "select round(('$w0'::pg_lsn - pg_current_wal_insert_lsn()) / -$DML)")
  sleep 1.2
  sql -d cand -F'|' -c "select '$1', '$2', $lat * 1000, $w1, n_tup_ins, n_tup_upd, n_tup_hot_upd from pg_stat_user_tables where relname = 'tasks'" >>"$OUT/dml.txt"
}
fpw() { sql -d postgres -c "alter system set full_page_writes = $1" -c 'select pg_reload_conf()' >/dev/null; sleep 0.3; }

candidate() {
  echo "$(date +%T) $1: ${C[$1]}"
  fresh "$1"
  sql -d cand -F'|' -c "select '$1', indexrelid::regclass, pg_relation_size(indexrelid) from pg_index where indrelid = 'tasks'::regclass and not indisprimary" >>"$OUT/sizes.txt"
  for rpc in 4 1.1; do
    sql -d cand -F'|' -c "set random_page_cost = $rpc" -c "select '$1', $rpc, q.name, big, b.* from queries q, (values (false), (true)) s (big), bench(q.q, big, $RUNS) b where not undo order by k, big" >>"$OUT/read.txt"
  done
  # The index-only scan of the count, as pages stop to be all-visible: so many per mille of all rows changed since vacuum
  for m in 2 10 50 200; do
    sql -d cand -c "with m as (select id from tasks where hashtext(id::text) & 1023 < $m * 1.024) update tasks t set title = title || '.' from m where m.id = t.id" 
    sql -d cand -F'|' -c "select '$1', $m, big, b.* from queries q, (values (false), (true)) s (big), bench(q.q, big, $RUNS) b where q.name = 'count' order by big" >>"$OUT/ios.txt"
  done
  fresh "$1"
  sql -d cand -F'|' -c "select '$1', 4, q.name, big, b.* from queries q, (values (false), (true)) s (big), bench(q.q, big, $RUNS, true) b where undo order by k, big" >>"$OUT/read.txt"
  for u in 1 20001; do
    { echo "== $1 user $u"; PGOPTIONS='-c client_min_messages=log' psql -qXAt -d cand -c "load 'auto_explain'" -c 'set auto_explain.log_min_duration = 0' -c 'set auto_explain.log_analyze = on' -c 'set auto_explain.log_buffers = on' -c 'set auto_explain.log_nested_statements = on' \
      -c 'begin' -c "delete from \"user\" where id = owner($u)" -c rollback 2>&1; } >>"$OUT/cascade.txt"
  done
  fresh "$1"; fpw off; dml "$1" 'insert' "$DIR/insert.pgb"; dml "$1" 'update full heap' "$DIR/update.pgb"
  sql -d cand -c 'vacuum tasks'; dml "$1" 'update after vacuum' "$DIR/update.pgb"
  case $1 in a|b|c1|d|e|f1|g1) # the heap of a table that has been in use for a while: 15% of its rows' worth of updates, vacuumed
    for _ in 1 2 3; do nice -n 5 pgbench -n -M prepared -c 1 -t 50000 -f "$DIR/update.pgb" cand >/dev/null 2>&1; sql -d cand -c 'vacuum tasks'; done
    dml "$1" 'update aged heap' "$DIR/update.pgb"
    sql -d cand -F'|' -c "select '$1', indexrelid::regclass, pg_relation_size(indexrelid) from pg_index where indrelid = 'tasks'::regclass" >>"$OUT/aged.txt" ;;
  esac
  fresh "$1"; fpw on; dml "$1" 'insert +fpi' "$DIR/insert.pgb"; dml "$1" 'update +fpi' "$DIR/update.pgb"; fpw off
  case $1 in z|a|b|c1|d|e|g1)
    sql -d cand -c 'alter table tasks set (fillfactor = 90)' -c 'vacuum full tasks' -c 'vacuum analyze tasks'; dml "$1" 'update fillfactor 90' "$DIR/update.pgb" ;;
  esac
}

grown() { # sizes of indexes that grew by inserts in order of time, one row each, instead of being built at once
  sql -d postgres -c 'drop database if exists cand' -c 'create database cand template base strategy file_copy'
  sql -d cand -c 'create table old as table tasks' -c 'truncate tasks'
  for d in "${C[a]}" "$B" "${C[b2]}" "${C[c1]}" "${C[c2]}" '("status")' '("priority")' '("category")' '("dueDate")' "${C[e2]}" '("userId", "dueDate", "createdAt", "id")' \
    '("userId", "priority", "createdAt", "id")' '("userId", (upper("title" collate "und-x-icu") collate "C"), "createdAt", "id")' "${C[g1]}" "${C[g3]}" "${C[ah]}"; do sql -d cand -c "create index on tasks $d"; done
  sql -d cand -c 'insert into tasks ("id", "title", "description", "priority", "category", "status", "dueDate", "dueDateIsFloating", "createdAt", "updatedAt", "userId") select "id", "title", "description", "priority", "category", "status", "dueDate", "dueDateIsFloating", "createdAt", "updatedAt", "userId" from old order by "createdAt"'
  sql -d cand -F'|' -c "select pg_get_indexdef(indexrelid), pg_size_pretty(pg_relation_size(indexrelid)) from pg_index where indrelid = 'tasks'::regclass" | sed 's/.*USING //' >"$OUT/grown.txt"
}

rounds() { # times that can be compared: every candidate in a database of its own, all of them in turn, round after round
  local c r rpc w
  for c in $CANDS; do
    sql -d postgres -c "drop database if exists c_$c" -c "create database c_$c template base strategy file_copy"
    indexes "$c" "c_$c"
    sql -d "c_$c" -c 'vacuum (analyze) tasks' -f - <<'E'
insert into queries (name, q) select 'list, limit 50 (not a real one)', q || ' limit 50' from queries where name = 'list';
-- single-row statements, each its own transaction; how long the backend was on a processor hardly depends on others
create procedure writes(what text, n int, inout cpu_us numeric) language plpgsql as $$
declare i int; k int; c0 bigint;
begin
  for i in -(n / 10) .. n - 1 loop
    if i = 0 then c0 := split_part(pg_read_file('/proc/' || pg_backend_pid() || '/schedstat', 0, 200), ' ', 1)::bigint; end if;
    k := 1 + floor(random() * 20000);
    if what = 'insert' then
      insert into tasks ("id", "userId", "title", "description", "priority", "category", "status", "createdAt", "updatedAt", "dueDate", "dueDateIsFloating")
      values (uuid7(clock_timestamp()), owner(k), 'Buy milk and bread before Friday', 'See the notes from the last meeting. Costs about 40 euros. Remember to copy the whole team on the reply.', 'medium', 'work', 'pending', clock_timestamp(), clock_timestamp(), clock_timestamp() at time zone 'UTC' + interval '3 days', false);
    elsif what = 'update' then
      update tasks t set "status" = case t.status when 'pending' then 'completed' else 'pending' end::task_status, "updatedAt" = clock_timestamp(), id = t.id, "userId" = t."userId", title = t.title, description = t.description, priority = t.priority, category = t.category, "createdAt" = t."createdAt", "dueDate" = t."dueDate", "dueDateIsFloating" = t."dueDateIsFloating" from picks p where p.n = k * 10 and t.id = p.id and t."userId" = p."userId";
    else perform uuid7(clock_timestamp()), owner(k); -- what the loop itself costs
    end if;
    commit;
  end loop;
  cpu_us := round((split_part(pg_read_file('/proc/' || pg_backend_pid() || '/schedstat', 0, 200), ' ', 1)::bigint - c0) / 1000.0 / n, 2);
end $$;
E
  done
  for r in 1 2 3 4 5; do
    for rpc in 4 1.1; do for c in $CANDS; do
      if [ "$c" != z ]; then sql -d "c_$c" -F'|' -c "set random_page_cost = $rpc" -c "select '$c', $rpc, q.name, big, b.* from queries q, (values (false), (true)) s (big), bench(q.q, big, case when big then 5 else 15 end) b where not undo order by k, big" >>"$OUT/rounds.txt"; fi
    done; done
    echo "$(date +%T) reads, round $r"
  done
  fpw off
  for r in 1 2 3 4 5 6 7 8; do
    for c in $CANDS; do
      sql -d "c_$c" -c 'checkpoint'
      for w in insert update nothing; do echo "$c|$w|$(sql -d "c_$c" -c "call writes('$w', 5000, 0)")" >>"$OUT/cpu.txt"; done
    done
    echo "$(date +%T) writes, round $r"
  done
  for c in $CANDS; do sql -d postgres -c "drop database c_$c"; done
}

expressions() { # what to_char and upper(... "und-x-icu") cost; full round trip: pgbench takes the rows as text, as node-postgres does
  fresh b
  local T='"id", "userId", "title", "description", "priority", "category", "status"' O='order by "tasks"."createdAt" desc, "id" desc'
  local P="$T, \"dueDate\", \"dueDateIsFloating\", \"createdAt\", \"updatedAt\""
  local R="$T, to_char(\"dueDate\", 'YYYY-MM-DD\"T\"HH24:MI:SS.MS') as \"dueDate\", \"dueDateIsFloating\", to_char(\"createdAt\" at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') as \"createdAt\", to_char(\"updatedAt\" at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') as \"updatedAt\""
  local U='upper("tasks"."title" collate "und-x-icu")' M='"createdAt" asc, "id" asc'
  local -a N=() Q=()
  add() { N+=("$1"); Q+=("$2"); }
  add 'list: to_char (real)' "select $R from tasks where \"userId\" = \$u $O"
  add 'list: plain time columns' "select $P from tasks where \"userId\" = \$u $O"
  add 'list: no time columns' "select $T, \"dueDateIsFloating\" from tasks where \"userId\" = \$u $O"
  add 'title sort: upper icu collate C (real)' "select $R from tasks where \"userId\" = \$u order by $U collate \"C\" asc nulls last, $M"
  add 'title sort: upper icu, icu order' "select $R from tasks where \"userId\" = \$u order by $U asc nulls last, $M"
  add 'title sort: plain upper collate C' "select $R from tasks where \"userId\" = \$u order by upper(title) collate \"C\" asc nulls last, $M"
  add 'title sort: plain upper (database collation)' "select $R from tasks where \"userId\" = \$u order by upper(title) asc nulls last, $M"
  add 'title sort: title collate C' "select $R from tasks where \"userId\" = \$u order by title collate \"C\" asc nulls last, $M"
  add 'sort by updatedAt (for comparison)' "select $R from tasks where \"userId\" = \$u order by \"updatedAt\" asc nulls last, $M"
  f() { echo "(position(upper('CAFÉ'::text $1) in upper(title $1)) > 0 or position(upper('CAFÉ'::text $1) in upper(description $1)) > 0)"; }
  add 'search: upper icu (real)' "select $R from tasks where \"userId\" = \$u and $(f 'collate "und-x-icu"') $O"
  add 'search: plain upper (database collation)' "select $R from tasks where \"userId\" = \$u and $(f '') $O"
  add 'search: upper collate C (ASCII only)' "select $R from tasks where \"userId\" = \$u and $(f 'collate "C"') $O"
  add 'search: ilike' "select $R from tasks where \"userId\" = \$u and (title ilike '%café%' or description ilike '%café%') $O"
  add 'search: no folding' "select $R from tasks where \"userId\" = \$u and (position('café' in title) > 0 or position('café' in description) > 0) $O"
  add 'search: nothing found, not evaluated' "select $R from tasks where \"userId\" = \$u and status > 'completed' $O"
  local i u id t lat ex round
  for round in 1 2 3 4 5 6 7 8; do for i in "${!N[@]}"; do for u in 1 20001; do
    id=$(sql -d cand -c "select owner($u)"); t=$([ $u = 1 ] && echo 600 || echo 15)
    echo "${Q[i]//\$u/\'$id\'};" >"$DIR/expr.pgb"
    lat=$(nice -n 5 pgbench -n -M simple -c 1 -t $t -f "$DIR/expr.pgb" cand 2>/dev/null | sed -n 's/^latency average = \(.*\) ms/\1/p')
    ex=$(psql -qXAt -d cand -v q="${Q[i]}" -v big=$([ $u = 1 ] && echo false || echo true) <<<"select exec_ms from bench(:'q', :'big', 11)")
    echo "${N[i]}|$u|$lat|$ex" >>"$OUT/expr.txt"
  done; done; done
}

report() {
  sql -d postgres <<E
drop view if exists best;
drop table if exists r, s, d, i, x, o, w;
create table w (c text, what text, us numeric);
create table r (c text, rpc numeric, name text, big boolean, plans text, buffers numeric, temp numeric, exec_ms numeric, plan_ms numeric, trigger_ms numeric, rows numeric);
create table s (c text, idx text, bytes bigint);
create table d (c text, what text, ms numeric, wal numeric, ins int, upd int, hot int);
create table o (like r);
create table i (c text, m int, big boolean, plans text, buffers numeric, temp numeric, exec_ms numeric, plan_ms numeric, trigger_ms numeric, rows numeric);
create table x (name text, u int, lat numeric, ex numeric);
\copy r from '$OUT/read.txt' (delimiter '|', null '')
\copy o from '$OUT/rounds.txt' (delimiter '|', null '')
\copy w from '$OUT/cpu.txt' (delimiter '|')
\copy s from '$OUT/sizes.txt' (delimiter '|')
\copy d from '$OUT/dml.txt' (delimiter '|')
\copy i from '$OUT/ios.txt' (delimiter '|', null '')
\copy x from '$OUT/expr.txt' (delimiter '|')
E
  psql -qX -d postgres -P pager=off >"$OUT/report.txt" <<'E'
\echo SIZES (MB, built)
select c, round(sum(bytes) / 1048576.0, 1) mb, string_agg(idx || ' ' || round(bytes / 1048576.0, 1), ', ') from s group by c order by c;
\echo WRITES: ms per 1,000, WAL bytes each, HOT %
select c, what, ms, wal, case when upd > 0 then round(100.0 * hot / upd) end hot from d order by what, c;
\echo WRITES: processor time of the backend in microseconds each, loop subtracted, best of the rounds
select c, what, (min(us) - (select min(us) from w where what = 'nothing'))::text us from w where what <> 'nothing' group by c, what order by what, c \crosstabview what c us
create view best as select c, rpc, name, big, min(exec_ms)::text exec_ms, min(plan_ms)::text plan_ms from o group by 1, 2, 3, 4 order by name, c;
\echo ROUNDS: best of the medians: EXECUTION ms, 50 tasks, random_page_cost 4
select name, c, exec_ms from best where not big and rpc = 4 \crosstabview name c exec_ms
\echo 50 tasks, random_page_cost 1.1
select name, c, exec_ms from best where not big and rpc < 4 \crosstabview name c exec_ms
\echo PLANNING ms, 50 tasks, random_page_cost 4
select name, c, plan_ms from best where not big and rpc = 4 \crosstabview name c plan_ms
\echo 10,000 tasks, random_page_cost 4
select name, c, exec_ms from best where big and rpc = 4 \crosstabview name c exec_ms
\echo 10,000 tasks, random_page_cost 1.1
select name, c, exec_ms from best where big and rpc < 4 \crosstabview name c exec_ms
\echo FROM HERE ON, TIMES OF THE SINGLE PASS: EXECUTION ms, 50 tasks (random_page_cost 4)
select name, c, exec_ms from r where not big and rpc = 4 \crosstabview name c exec_ms
\echo BUFFERS, 50 tasks
select name, c, buffers from r where not big and rpc = 4 \crosstabview name c buffers
\echo PLANNING ms, 50 tasks
select name, c, plan_ms from r where not big and rpc = 4 \crosstabview name c plan_ms
\echo EXECUTION ms, 10,000 tasks
select name, c, exec_ms from r where big and rpc = 4 \crosstabview name c exec_ms
\echo EXECUTION ms, 10,000 tasks, random_page_cost 1.1
select name, c, exec_ms from r where big and rpc = 1.1 \crosstabview name c exec_ms
\echo BUFFERS, 10,000 tasks
select name, c, buffers from r where big and rpc = 4 \crosstabview name c buffers
\echo TEMP blocks written, 10,000 tasks
select name, c, temp from r where big and rpc = 4 \crosstabview name c temp
\echo TRIGGER ms (FK check, cascade)
select name || case when big then ' 10,000' else ' 50' end as n, c, trigger_ms from r where trigger_ms is not null \crosstabview n c trigger_ms
\echo COUNT as pages stop to be all-visible (per mille of rows changed)
select c, big, m, plans, buffers, exec_ms from i order by big, m, c;
\echo PLANS
select name, big, rpc, plans, string_agg(c, ' ' order by c) from r group by 1, 2, 3, 4 order by 1, 2, 3, 4;
\echo EXPRESSIONS: best of three rounds: round trip ms, execution ms
select name, min(lat) filter (where u = 1) lat50, min(ex) filter (where u = 1) ex50, min(lat) filter (where u > 1) lat10000, min(ex) filter (where u > 1) ex10000 from x group by name order by name;
E
}

trap 'stop || true' EXIT
start; cat_scripts
stage() { [[ " $STAGES " == *" $1 "* ]]; }
if stage base; then base; cat "$OUT/base.txt"; fi
if stage candidates; then rm -f "$OUT"/{read,sizes,dml,ios,cascade,aged}.txt; for c in $CANDS; do candidate "$c"; done; fi
if stage grown; then grown; fi
if stage rounds; then rm -f "$OUT"/{rounds,cpu}.txt; rounds; fi
if stage expressions; then rm -f "$OUT/expr.txt"; expressions; fi
if stage report; then report; fi
