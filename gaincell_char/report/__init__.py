"""Results of the main job -> a page to look at: pictures, tables, one ``index.html``."""





