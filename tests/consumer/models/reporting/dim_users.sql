{# of the same name as one of dropoff's, and nothing like it #}
select distinct visitor from {{ ref('stg_shop__events') }}
