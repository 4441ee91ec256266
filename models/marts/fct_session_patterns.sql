{# a view: the assignment is stored once #}
{{ config(materialized='view') }}

with

session_patterns as (

    select * from {{ ref('int_session_patterns') }}

)

select
    session_id,
    pattern_id,
    distance
from session_patterns
