with

annotations as (

    select * from {{ optional_source(source('settings', 'annotations')) }}

)

select
    cast(date as date) as annotation_date,
    label,
    kind,
    {{ optional_column(optional_source(source('settings', 'annotations')), 'link') }}
        as link
from annotations
