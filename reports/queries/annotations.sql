select
    strftime(annotation_date, '%Y-%m-%d') as day,
    label,
    kind,
    link,
from dropoff.dim_annotations
order by annotation_date, label
