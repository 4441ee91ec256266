with

landing_checks as (

    select * from {{ ref('stg_landing__checks') }}

)

select
    file_name,
    expectation,
    column_name,
    is_met,
    is_fatal,
    observed,
    message,
    checked_at
from landing_checks
