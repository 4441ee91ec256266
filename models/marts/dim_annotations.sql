with

annotations as (

    select * from {{ ref('stg_settings__annotations') }}

)

select
    annotation_date,
    {{ short_name('label') }} as label,
    kind,
    link
from annotations
