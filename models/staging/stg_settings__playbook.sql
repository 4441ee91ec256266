with

playbook as (

    select * from {{ source('settings', 'playbook') }}

)

select
    stage,
    cast(stuck_after_seconds as double) as stuck_after_seconds,
    suggestion,
    intervention
from playbook
