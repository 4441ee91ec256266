{{ config(materialized='incremental', redone_by='text_file') }}
-- depends_on: {{ ref('base_app__arrived_files') }}
-- depends_on: {{ ref('base_app__landing_files') }}

{# every record of the text files that are there, so that none is cut twice #}
with

cut_records as (

    select * from {{ ref('base_app__cut_records') }}

)

select
    file_name,
    file_row_number,
    is_readable,
    payload
from cut_records
where landing_zone = 'events'
