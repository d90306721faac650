DROP INDEX reconcile_by_call;
DROP TABLE retired_costs;
DROP TABLE retired_days;
DROP TABLE retired_calls;
